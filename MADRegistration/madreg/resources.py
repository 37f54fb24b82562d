"""Where the bundled files are: the trained weights (``Models``) and the demo pair (``Demo``).

In a checkout and in the Slicer extension they lie in ``Resources`` beside ``madreg``; an installed wheel carries them
inside the package, in ``madreg/_resources``.
"""

from __future__ import annotations

from pathlib import Path

from .errors import InputError

PACKAGE = Path(__file__).resolve().parent
FOLDERS = (PACKAGE / "_resources", PACKAGE.parent / "Resources")


def path(*parts: str) -> Path:
    """Path of one bundled file, for example ``path("Demo", "T1w.nii.gz")``.

    Raises:
        InputError: if the file is not there, naming it and what to do.
    """
    for folder in FOLDERS:
        candidate = folder.joinpath(*parts)
        if candidate.is_file():
            return candidate
    raise InputError(
        f"The bundled file {'/'.join(parts)} is missing (looked in {' and in '.join(str(f) for f in FOLDERS)}): "
        "install MADRegistration again, or take a complete checkout."
    )
