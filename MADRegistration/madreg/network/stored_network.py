"""The network that a file of weights holds, once it is known that it is one."""

from __future__ import annotations

import pickle
import warnings
import zipfile
from pathlib import Path
from typing import Any

import torch

from ..errors import InputError
from .models import Network, build
from .settings import NetworkSettings, plain, settings_of

FORMAT = "madreg-weights-1"
LARGEST_NUMBER = 1024
"""Of channels, blocks or features of a network that is loaded."""

SPACINGS = (0.2, 20.0)
"""mm between the voxels that a network sees, at least and at most."""


def stored_network(path: Path, is_bundled: bool) -> Network:
    """The network in a ``.pt`` file.

    Args:
        is_bundled: whether the file is ours: that it declares no more than it holds is then known.  To find that out
            takes torch more than a second, in which it loads its compiler.

    Raises:
        InputError: if it holds none.
    """
    try:
        if not is_bundled:
            _check_sizes_in(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # torch's, of files that are not its own
            stored = torch.load(path, map_location="cpu", weights_only=True)
        return _network(stored, is_bundled)
    except (
        OSError,
        zipfile.BadZipFile,
        RuntimeError,  # RecursionError among them
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
        EOFError,
        OverflowError,
        MemoryError,
        pickle.UnpicklingError,
    ) as error:
        raise InputError(f"{path} holds no weights of MADRegistration: give a .pt file of `madreg train`.") from error


def _check_sizes_in(path: Path) -> None:
    """Raise ValueError, or zipfile.BadZipFile, for a file that torch would inflate: it stores tensors as they are."""
    with zipfile.ZipFile(path) as archive:
        if any(part.compress_type != zipfile.ZIP_STORED for part in archive.infolist()):
            raise ValueError("compressed")


def _network(stored: Any, is_bundled: bool) -> Network:
    """The network of what was in a file of weights; ValueError, KeyError, RuntimeError ... if there is none."""
    if not isinstance(stored, dict) or stored["format"] != FORMAT:
        raise ValueError("another format")
    if not isinstance(stored["network"], dict) or not isinstance(stored["state"], dict):
        raise ValueError("no network")
    settings = settings_of(stored["network"])
    _check_size(settings)
    if not is_bundled:
        _check_shapes(settings, stored["state"])
    network = build(settings)
    network.load_state_dict(stored["state"])
    if not all(value.isfinite().all() for value in network.state_dict().values()):
        raise ValueError("weights that are no numbers, as of a training that diverged")
    return network


def _check_shapes(settings: NetworkSettings, state: dict[str, Any]) -> None:
    """Raise ValueError if a network of these settings is not what the file holds, without allocating it."""
    with torch.device("meta"):
        shapes = {name: value.shape for name, value in build(settings).state_dict().items()}
    if shapes != {name: value.shape for name, value in state.items()}:
        raise ValueError("weights of another network")


def _check_size(settings: NetworkSettings) -> None:
    """Raise ValueError for numbers that no network has."""
    if not isinstance(settings.spacing, (int, float)) or not SPACINGS[0] <= settings.spacing <= SPACINGS[1]:
        raise ValueError("no spacing")
    for value in plain(settings).values():
        for one in value if isinstance(value, list) else [value]:
            if not isinstance(one, (int, float, str)) or (not isinstance(one, str) and not 0 <= one <= LARGEST_NUMBER):
                raise ValueError("too large")
