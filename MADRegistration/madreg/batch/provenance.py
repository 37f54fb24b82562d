"""Where the result of a pair comes from, as its entry in the manifest has it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .. import __version__
from ..pipeline.provenance import provenance
from .pair import INPUTS, Pair


def of_pair(pair: Pair, root: Path) -> dict[str, Any]:
    """SHA-256 of each input of a pair, versions and platform.

    Raises:
        InputError: if a file can no longer be read.
    """
    found = provenance({name: path for name in INPUTS if (path := pair.input(name, root)) is not None})
    hashes = found["inputs_sha256"]
    return {
        "inputs": {name: {"path": str(getattr(pair, name)), "sha256": hashes[name]} for name in hashes},
        "software": {"madreg": __version__, **found["versions"]},
        "platform": found["platform"],
    }
