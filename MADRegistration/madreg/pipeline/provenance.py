"""Where a result comes from: hashes of the inputs and versions of the software."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..io.hashing import sha256_of_input
from ..system.versions import versions


def provenance(inputs: Mapping[str, str | Path]) -> dict[str, Any]:
    """SHA-256 of the files of some inputs, and the versions of the software, as plain types.

    Raises:
        InputError: if a file can no longer be read.
    """
    try:
        hashes = {name: sha256_of_input(path) for name, path in inputs.items()}
    except OSError as error:
        raise InputError(f"{error.filename} can no longer be read ({error.strerror}): check the path.") from error
    return {"inputs_sha256": hashes, "versions": versions(), "platform": platform.platform()}
