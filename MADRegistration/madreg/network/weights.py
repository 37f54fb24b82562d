"""Trained weights: a ``.pt`` file of tensors and plain types, and a model card, the ``.json`` file beside it."""

from __future__ import annotations

import hashlib
import json
import pickle
from functools import lru_cache
from pathlib import Path

import torch

from .. import resources
from ..errors import InputError
from .models import DistanceNetwork, build, plain, settings_of

FORMAT = "madreg-weights-1"


def sha256(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def save(network: DistanceNetwork, path: Path, card: dict) -> dict:
    """Write weights, in half precision, and their model card, each whole or not at all.

    Args:
        path: the ``.pt`` file; the card goes beside it.
        card: what else is to be known of the weights (data, licences, command, figures ...).

    Returns:
        The card as written, with format, network, number of parameters and SHA-256 added.
    """
    state = {k: v.detach().cpu().half() if v.is_floating_point() else v.cpu() for k, v in network.state_dict().items()}
    state = {k: v.contiguous() for k, v in state.items()}
    part = path.with_suffix(".part")
    torch.save({"format": FORMAT, "network": plain(network.settings), "state": state}, part)
    part.replace(path)
    card = {
        "format": FORMAT,
        "network": plain(network.settings),
        "parameters": sum(p.numel() for p in network.parameters()),
        **card,
        "sha256": sha256(path),
    }
    part = path.with_suffix(".json.part")
    part.write_text(json.dumps(card, indent=1) + "\n")
    part.replace(path.with_suffix(".json"))
    return card


def load(path: Path | str | None = None, device: torch.device | str = "cpu") -> tuple[DistanceNetwork, dict]:
    """A trained network in eval mode, and its model card.

    Args:
        path: a ``.pt`` file; the bundled one if None.

    Raises:
        InputError: if the file is missing, damaged or foreign.
    """
    path = (resources.path("Models", "mad.pt") if path is None else Path(path)).resolve()
    if not path.is_file():
        raise InputError(f"There are no weights at {path}: give a .pt file that `madreg train` wrote.")
    return _load(path, path.stat().st_mtime_ns, str(device))


@lru_cache(maxsize=4)
def _load(path: Path, _changed: int, device: str) -> tuple[DistanceNetwork, dict]:
    card_path = path.with_suffix(".json")
    try:
        card = json.loads(card_path.read_text())
        expected = card["sha256"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"The model card {card_path} is missing or damaged: keep it beside {path.name}.") from error
    if sha256(path) != expected:
        raise InputError(f"The weights {path} are not those of their model card: copy both files again.")
    try:
        stored = torch.load(path, map_location="cpu", weights_only=True)
        if stored["format"] != FORMAT:
            raise ValueError(stored["format"])
        network = build(settings_of(stored["network"]))
        network.load_state_dict(stored["state"])
    except (RuntimeError, ValueError, KeyError, TypeError, AttributeError, EOFError, pickle.UnpicklingError) as error:
        raise InputError(f"{path} holds no weights of MADRegistration: give a .pt file of `madreg train`.") from error
    network = network.float().eval().requires_grad_(False)
    # the layout in which 3D convolutions are fastest
    return network.to(device, memory_format=torch.channels_last_3d), card
