"""Where a result comes from: hashes of the inputs and versions of the software."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any

from .. import __version__
from ..io.hashing import sha256_of_input
from ..system.versions import versions
from .pair import INPUTS, Pair


def of_pair(pair: Pair, root: Path) -> dict[str, Any]:
    """SHA-256 of each input of a pair, versions and platform."""
    inputs = {name: path for name in INPUTS if (path := pair.input(name, root)) is not None}
    return {
        "inputs": {
            name: {"path": str(getattr(pair, name)), "sha256": sha256_of_input(path)} for name, path in inputs.items()
        },
        "software": {"madreg": __version__, **versions()},
        "platform": platform.platform(),
    }
