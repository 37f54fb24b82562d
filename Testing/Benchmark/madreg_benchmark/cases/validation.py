"""The validation cases, put together from a data folder."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from madreg.errors import InputError
from madreg_benchmark.cases.case import Case, contrast_of, save_cases
from madreg_benchmark.cases.simulation import simulate_ct_t1

_OPEN_MS = {
    "intra_T1_T2": ("patient04/study1_T1W.nii.gz", "patient04/study1_T2W.nii.gz"),
    "intra_FLAIR_T1": ("patient20/study2_FLAIR.nii.gz", "patient20/study2_T1W.nii.gz"),
    "inter_T1_FLAIR": ("patient19/study2_T1W.nii.gz", "patient19/study1_FLAIR.nii.gz"),
    "inter_FLAIR_FLAIR": ("patient19/study1_FLAIR.nii.gz", "patient19/study2_FLAIR.nii.gz"),
}
_TEMPLATES = {
    "template_CT_T1": ("CT_scct_clinical.nii.gz", "T1_avg152.nii.gz"),
    "template_PET_T1": ("PET.nii.gz", "T1_avg152.nii.gz"),
    "template_T1_FLAIR": ("T1_avg152.nii.gz", "FLAIR_gg181.nii.gz"),
}
_HELD_OUT_LABELS = (15, 16)
OPEN_MS_GOOD_TO_MM, TEMPLATES_GOOD_TO_MM = 1.5, 3.0


def assemble_validation(data: Path, out: Path) -> list[Case]:
    """Write ``cases.json`` and the simulated scans into ``out``: four pairs of MS patients (truth good to 1.5 mm),
    three of population averages in MNI space (2 to 3 mm) and two simulated CT-T1 pairs (exact).

    Args:
        data: folder with ``val/open_ms``, ``val/templates_mni_2mm`` and ``train/synthseg_labels_1.5mm``; what they
            hold and where it comes from is documented in ``docs/results/README.md``.

    Raises:
        InputError: if a file is missing or ``out`` cannot be written.
    """
    patients, templates = data / "val" / "open_ms", data / "val" / "templates_mni_2mm"
    labels = {n: data / "train" / "synthseg_labels_1.5mm" / f"training_seg_{n}.nii.gz" for n in _HELD_OUT_LABELS}
    for needed in (patients / "gt_pairs.json", templates, *labels.values()):
        if not needed.exists():
            raise InputError(f"{needed} does not exist; give the folder that holds val and train.")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{out} cannot be made ({error.strerror}); choose another folder.") from error

    truth = {
        (g["fixed"], g["moving"]): np.array(g["T_fixedLPS_to_movingLPS"], float)
        for g in json.loads((patients / "gt_pairs.json").read_text(encoding="utf-8"))
    }
    cases = [
        Case(name, patients / pair[0], patients / pair[1], truth[pair], contrast_of(name), OPEN_MS_GOOD_TO_MM)
        for name, pair in _OPEN_MS.items()
    ]
    cases += [
        Case(name, templates / fixed, templates / moving, np.eye(4), contrast_of(name), TEMPLATES_GOOD_TO_MM)
        for name, (fixed, moving) in _TEMPLATES.items()
    ]
    for number, path in labels.items():
        name = f"sim_CT_T1_{number}"
        files = out / f"sim{number}_ct.nii.gz", out / f"sim{number}_t1.nii.gz"
        for image, file in zip(simulate_ct_t1(sitk.ReadImage(str(path)), number), files, strict=True):
            sitk.WriteImage(image, str(file))
        cases.append(Case(name, *files, np.eye(4), contrast_of(name)))
    save_cases(out, cases)
    return cases
