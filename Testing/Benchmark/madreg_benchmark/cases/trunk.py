"""Cases of the trunk and the spine: real scans of other anatomy than heads, as two packages on PyPI hold them.

The moving scan of a pair is the fixed one as another kind of scan might show it: tissues in another order of
brightness, thicker slices, noise, no couch.  So the truth is exact, and what is new is the anatomy.
"""

from __future__ import annotations

import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from madreg.errors import InputError
from madreg.image.geometry import Grid
from madreg_benchmark.cases.case import Case, save_cases

PACKAGES = {  # both under the Apache licence 2.0
    "totalsegmentator": "totalsegmentator-2.18.0.tar.gz",
    "tptbox": "tptbox-1.1.0-py3-none-any.whl",
}
# HU, and how bright a T1-weighted scan might show it: fat most, then liver and muscle, water, compact bone, air
BRIGHTNESS = (
    (-1000, 0.02), (-500, 0.06), (-150, 0.85), (-80, 0.95), (-30, 0.55), (10, 0.25), (45, 0.45), (110, 0.55),
    (200, 0.35), (400, 0.2), (1000, 0.05), (3000, 0.02),
)  # fmt: skip
BODY_HU, COUCH_MM = -350, 12.0  # a couch is thinner than that
NOISE, SLICE_MM = 0.03, 4.0
SEED = 15


@dataclass(frozen=True)
class Source:
    """Where a scan lies, and how its counterpart is made.

    Attributes:
        package: in :data:`PACKAGES`, and
        member: the file in it.
        contrast: of the pair.
        shown: the scan (float32) in other brightness.
    """

    package: str
    member: str
    contrast: str
    shown: Callable[[sitk.Image], sitk.Image]


def as_mr(ct: sitk.Image) -> sitk.Image:
    """A CT in HU with the brightness of a T1-weighted scan, without the couch."""
    body = sitk.BinaryFillhole(ct > BODY_HU)
    body = sitk.BinaryMorphologicalOpening(body, [int(np.ceil(COUCH_MM / 2 / mm)) for mm in ct.GetSpacing()])
    largest = sitk.RelabelComponent(sitk.ConnectedComponent(body)) == 1
    values = np.interp(sitk.GetArrayFromImage(ct), *np.transpose(BRIGHTNESS)).astype(np.float32)
    return Grid.of_image(ct).as_image(np.where(sitk.GetArrayFromImage(largest), values, BRIGHTNESS[0][1]))


def folded(mr: sitk.Image) -> sitk.Image:
    """An MR scan in which what is darker than the median of the tissue gets as bright as what is brighter."""
    values = sitk.GetArrayFromImage(mr)
    tissue = values[values > np.percentile(values, 99) / 10]
    middle, top = np.median(tissue), np.percentile(tissue, 99)
    return Grid.of_image(mr).as_image((np.abs(values - middle) / (top - middle)).clip(0, 1).astype(np.float32))


_TESTS = "totalsegmentator-2.18.0/tests/reference_files"
SOURCES = {
    "abdomen_CT_MR": Source("totalsegmentator", f"{_TESTS}/example_ct.nii.gz", "CT-MR", as_mr),
    "chest_CT_MR": Source("totalsegmentator", f"{_TESTS}/aorta_report/example_ct.nii.gz", "CT-MR", as_mr),
    "liver_MR_MR": Source("totalsegmentator", f"{_TESTS}/example_mr_sm.nii.gz", "MR-MR", folded),
    "vertebra_CT_MR": Source("tptbox", "TPTBox/tests/sample_ct/sub-ct_label-22_ct.nii.gz", "CT-MR", as_mr),
    "spine_T2_MR": Source("tptbox", "TPTBox/tests/sample_mri/sub-mri_label-6_T2w.nii.gz", "MR-MR", folded),
}


def assemble_trunk(packages: Path, out: Path) -> list[Case]:
    """Write ``cases.json`` and both scans of every pair into ``out``: exact truth, CT and what an MR might show.

    Args:
        packages: folder with the files in :data:`PACKAGES`, as ``pip download --no-deps`` leaves them there.

    Raises:
        InputError: if one of them is missing.
    """
    cases = []
    for number, (name, source) in enumerate(SOURCES.items()):
        fixed, moving = out / f"{name}_fixed.nii.gz", out / f"{name}_moving.nii.gz"
        found = _member(packages / PACKAGES[source.package], source.member)
        out.mkdir(parents=True, exist_ok=True)
        fixed.write_bytes(found)
        scan = sitk.ReadImage(str(fixed), sitk.sitkFloat32)
        sitk.WriteImage(_scanned(source.shown(scan), np.random.default_rng([SEED, number])), str(moving))
        cases.append(Case(name, fixed, moving, np.eye(4), source.contrast))
    save_cases(out, cases)
    return cases


def _member(archive: Path, member: str) -> bytes:
    if not archive.is_file():
        name, version = archive.name.split("-")[:2]
        version = version.removesuffix(".tar.gz")
        raise InputError(
            f"{archive} does not exist; get it with: pip download --no-deps {name}=={version}"
            f"{'' if archive.suffix == '.whl' else ' --no-binary :all:'}"
        )
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            return wheel.read(member)
    with tarfile.open(archive) as tar:
        return tar.extractfile(member).read()


def _scanned(image: sitk.Image, rng: np.random.Generator) -> sitk.Image:
    """The same in slices of 4 mm along its third axis, with the noise of magnitudes."""
    size, spacing = list(image.GetSize()), list(image.GetSpacing())
    if spacing[2] < SLICE_MM:
        blurred = sitk.RecursiveGaussian(image, 0.4 * SLICE_MM, False, sitk.RecursiveGaussianImageFilter.ZeroOrder, 2)
        size[2], spacing[2] = int(size[2] * spacing[2] / SLICE_MM), SLICE_MM
        image = sitk.Resample(
            blurred, size, sitk.Transform(), sitk.sitkLinear, image.GetOrigin(), spacing, image.GetDirection(), 0.0
        )
    values = sitk.GetArrayFromImage(image)
    noisy = np.hypot(values + rng.normal(0, NOISE, values.shape), rng.normal(0, NOISE, values.shape))
    return Grid.of_image(image).as_image((1000 * noisy).astype(np.float32))
