"""The model card of weights: the ``.json`` file beside a ``.pt`` file, with its hash."""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from ..errors import InputError

LARGEST_FILE = 1 << 30  # bytes; the bundled weights have 6 MB
LARGEST_CARD = 1 << 24


def sha256(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


@lru_cache(maxsize=4)
def verified_card(path: Path, _changed: int) -> dict[str, Any]:
    """The model card of weights, which are compared with its hash once.

    Args:
        path: of the weights.
        _changed: when they changed last; they are read again after that.

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
