"""Trained weights: a ``.pt`` file of tensors and plain types, and a model card, the ``.json`` file beside it."""

from __future__ import annotations

import hashlib
import io
import json
import pickle
import warnings
import zipfile
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from .. import resources
from ..errors import InputError
from ..system.files import bytes_content, write_all
from .features import FeatureNetwork
from .models import DistanceNetwork, Network, build, placed
from .settings import NetworkSettings, plain, settings_of

FORMAT = "madreg-weights-1"
DISTANCES, FEATURES = "mad.pt", "mad-features.pt"  # the bundled files
LARGEST_FILE = 1 << 30  # bytes; the bundled weights have 6 MB
LARGEST_CARD = 1 << 24
LARGEST_NUMBER = 1024
"""Of channels, blocks or features of a network that is loaded."""

SPACINGS = (0.2, 20.0)
"""mm between the voxels that a network sees, at least and at most."""


def sha256(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def save(network: Network, path: Path, card: dict) -> dict:
    """Write weights, in half precision, and their model card, both or neither.

    Args:
        path: the ``.pt`` file; the card goes beside it.
        card: what else is to be known of the weights (data, licences, command, figures ...).

    Returns:
        The card as written, with format, network, number of parameters and SHA-256 added.

    Raises:
        InputError: if they cannot be written.
    """
    state = {k: v.detach().cpu().half() if v.is_floating_point() else v.cpu() for k, v in network.state_dict().items()}
    state = {k: v.contiguous() for k, v in state.items()}
    stream = io.BytesIO()
    torch.save({"format": FORMAT, "network": plain(network.settings), "state": state}, stream)
    data = stream.getvalue()
    card = {
        "format": FORMAT,
        "network": plain(network.settings),
        "parameters": sum(p.numel() for p in network.parameters()),
        **card,
        "sha256": hashlib.sha256(data).hexdigest(),
    }
    text = json.dumps(card, indent=1) + "\n"
    write_all({path: bytes_content(data), path.with_suffix(".json"): bytes_content(text.encode("ascii"))})
    return card


def load(path: Path | str | None = None, device: torch.device | str = "cpu") -> tuple[DistanceNetwork, dict]:
    """A trained network that predicts distances, in eval mode, and its model card.

    Args:
        path: a ``.pt`` file; the bundled one if None.

    Raises:
        InputError: if the file is missing, damaged or foreign, or holds a network of another kind.
    """
    network, card = load_any(path, device)
    if isinstance(network, FeatureNetwork):
        raise InputError(f"The network in {path} predicts no distances: give one trained with another --encoder.")
    return network, card


def load_features(path: Path | str | None = None, device: torch.device | str = "cpu") -> tuple[FeatureNetwork, dict]:
    """A trained feature network in eval mode, and its model card: as :func:`load`."""
    network, card = load_any(path, device, FEATURES)
    if not isinstance(network, FeatureNetwork):
        raise InputError(f"The network in {path} makes no features: give one trained with --encoder features.")
    return network, card


def load_any(
    path: Path | str | None = None, device: torch.device | str = "cpu", bundled: str = DISTANCES
) -> tuple[Network, dict]:
    """A trained network of any kind in eval mode, and its model card: as :func:`load`.

    Args:
        bundled: which of the bundled files to take if ``path`` is None.
    """
    file = _file(path, bundled)
    return _load(file, file.stat().st_mtime_ns, _numbered(torch.device(device)), path is None)


def checked_card(path: Path | str | None = None, device: torch.device | str = "cpu", bundled: str = DISTANCES) -> dict:
    """The model card of weights, once it is known that they can be used.

    The bundled weights are compared with their hash; their network is not built.  Others are loaded.

    Raises:
        InputError: as for :func:`load_any`.
    """
    if path is not None:
        return load_any(path, device)[1]
    file = _file(path, bundled)
    return _verified_card(file, file.stat().st_mtime_ns)


def _file(path: Path | str | None, bundled: str = DISTANCES) -> Path:
    """The file of weights, without links; a bundled one if None."""
    file = resources.path("Models", bundled).resolve() if path is None else _resolved(path)
    if file is None or not file.is_file():
        raise InputError(f"There are no weights at {file or path}: give a .pt file that `madreg train` wrote.")
    return file


def _resolved(path: Path | str) -> Path | None:
    """The path without links; None if it cannot be one, as a loop of links or a name that is too long."""
    try:
        resolved = Path(path).resolve()
        resolved.is_file()
    except (OSError, RuntimeError, ValueError):
        return None
    return resolved


def _numbered(device: torch.device) -> torch.device:
    """The device with its number, so that ``cuda`` and ``cuda:0`` are one."""
    if device.type == "cuda" and device.index is None:
        return torch.device("cuda", torch.cuda.current_device())
    return device


@lru_cache(maxsize=4)
def _load(path: Path, changed: int, device: torch.device, is_bundled: bool) -> tuple[Network, dict]:
    card = _verified_card(path, changed)
    try:
        if not is_bundled:
            _check_sizes_in(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # torch's, of files that are not its own
            stored = torch.load(path, map_location="cpu", weights_only=True)
        network = _network(stored, is_bundled)
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
    return placed(network.float().eval().requires_grad_(False), device), card


def _check_sizes_in(path: Path) -> None:
    """Raise ValueError, or zipfile.BadZipFile, for a file that torch would inflate: it stores tensors as they are."""
    with zipfile.ZipFile(path) as archive:
        if any(part.compress_type != zipfile.ZIP_STORED for part in archive.infolist()):
            raise ValueError("compressed")


@lru_cache(maxsize=4)
def _verified_card(path: Path, _changed: int) -> dict[str, Any]:
    """The model card of weights with its hash.

    Raises:
        InputError: if either cannot be read, or the hash is another.
    """
    card = _read_card(path)
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise ValueError("too large")
        digest = sha256(path)
    except (OSError, ValueError) as error:
        raise InputError(f"The weights {path} cannot be read: give a .pt file that `madreg train` wrote.") from error
    if digest != card["sha256"]:
        raise InputError(f"The weights {path} are not those of their model card: copy both files again.")
    return card


def _read_card(path: Path) -> dict[str, Any]:
    """The model card of weights.

    Raises:
        InputError: if it is missing, or no card.
    """
    card_path = path.with_suffix(".json")
    try:
        if not card_path.is_file() or card_path.stat().st_size > LARGEST_CARD:  # reading a pipe would wait for ever
            raise ValueError("no file, or too large")
        card = json.loads(card_path.read_text(encoding="utf-8"))
        if not isinstance(card, dict) or not isinstance(card.get("sha256"), str):
            raise ValueError("no card")
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"The model card {card_path} is missing or damaged: keep it beside {path.name}.") from error
    return card


def _network(stored: Any, is_bundled: bool) -> Network:
    """The network of a file of weights.

    Args:
        is_bundled: whether the file is ours: that it declares no more than it holds is then known.  To find that out
            takes torch more than a second, in which it loads its compiler.

    Raises:
        ValueError, KeyError, RuntimeError ...: if it holds none.
    """
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
