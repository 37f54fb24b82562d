"""The bundled files: the trained weights (``Models``) and the demo pair (``Demo``)."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from ..errors import InputError


def path(*parts: str) -> Path:
    """Path of one bundled file, for example ``path("Demo", "T1w.nii.gz")``.

    Raises:
        InputError: if the file is not there, naming it and what to do.
    """
    candidate = Path(str(files(__package__))).joinpath(*parts)
    if candidate.is_file():
        return candidate
    raise InputError(
        f"The bundled file {'/'.join(parts)} is missing (looked in {candidate.parent}): "
        "install MADRegistration again, or take a complete checkout."
    )
