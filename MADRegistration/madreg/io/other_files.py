"""Files that are given as an image and are none, known by their names and first bytes; what to do instead."""

from __future__ import annotations

from pathlib import Path

ARCHIVES = (".zip", ".tar", ".tgz", ".7z", ".rar", ".bz2", ".xz", ".zst")
COMPRESSED = (".hdr.gz", ".img.gz", ".gipl.gz", ".mgh.gz", ".brik.gz", ".head.gz", ".nii.gz")
"""Compressed files that are read as they are."""

TRANSFORMS = (".tfm", ".lta", ".xfm")
TRANSFORM_STARTS = (b"#Insight Transform File", b'(Transform "', b"MNI Transform File")
SCENES = (".mrml", ".mrb")
IMAGES = (
    *(".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd", ".hdr", ".hdr.gz", ".mgz", ".mgh", ".mgh.gz", ".mnc"),
    *(".mnc2", ".gipl", ".gipl.gz", ".vtk", ".head", ".par"),
)
"""Endings of files that may be images."""


def is_archive(path: Path) -> bool:
    """Whether a file has to be unpacked first."""
    name = path.name.lower()
    return name.endswith(ARCHIVES) or (name.endswith(".gz") and not name.endswith(COMPRESSED))


def what_it_is(path: Path) -> str | None:
    """What a file is that is no image, and what to do, to follow its name; None if it may be an image."""
    if is_archive(path):
        return "is an archive: unpack it, and give the image or the folder of slices in it"
    name = path.name.lower()
    if name.endswith(SCENES):
        return "is a scene of Slicer: save the volume in it as NRRD or NIfTI, and give that"
    with path.open("rb") as file:
        start = file.read(max(map(len, TRANSFORM_STARTS)))
    if name.endswith(TRANSFORMS) or start.startswith(TRANSFORM_STARTS):
        return "is a transform: give an image in this place"
    return None
