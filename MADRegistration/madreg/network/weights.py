"""Trained weights: a ``.pt`` file of tensors and plain types, and a model card, the ``.json`` file beside it."""

from __future__ import annotations

import hashlib
import io
import json
from functools import lru_cache
from pathlib import Path

import torch

from .. import resources
from ..errors import InputError
from ..system.files import bytes_content, write_all
from .features import FeatureNetwork
from .model_card import verified_card
from .models import DistanceNetwork, Network, placed
from .settings import plain
from .stored_network import FORMAT, stored_network

DISTANCES, FEATURES = "mad.pt", "mad-features.pt"  # the bundled files


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
    return verified_card(file, file.stat().st_mtime_ns)


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
    card = verified_card(path, changed)
    network = stored_network(path, is_bundled)
    return placed(network.float().eval().requires_grad_(False), device), card
