"""Seeded damage to files of every format: each is read or refused in one sentence, and the process lives on."""

import json
import os
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
import SimpleITK as sitk

TRIALS = int(os.environ.get("MADREG_DAMAGE_TRIALS", "40"))
"""Damaged files of each format."""

CODE = """
import json, sys, traceback
from pathlib import Path
import numpy as np
from madreg.errors import InputError
from madreg.io.images import open_image

path, header, trials, seed = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
target = sorted(path.iterdir())[0] if path.is_dir() else path
sound = target.read_bytes()
rng = np.random.default_rng(seed)
for trial in range(trials):
    content = bytearray(sound)
    kind = trial % 4
    where = int(rng.integers(min(header, len(content)) if kind != 2 else len(content)))
    if kind == 0:
        content[where] ^= 1 << int(rng.integers(8))
    elif kind == 1:
        length = int(rng.integers(1, 12))
        content[where : where + length] = rng.bytes(length)
    elif kind == 2:
        del content[where:]
    else:
        content[where : where + 4] = bytes([[0], [255], [45, 57], [127]][int(rng.integers(4))]) * 2
    target.write_bytes(content)
    try:
        image, source = open_image(path)
        json.dumps(source.report())
        outcome = "read"
    except InputError as error:
        text = str(error)
        good = "\\n" not in text and text.endswith(".") and ": " in text
        outcome = "refused" if good else "bad sentence: " + text
    except BaseException:
        outcome = traceback.format_exc()
    print(json.dumps([trial, outcome]), flush=True)
"""


def scan():
    image = sitk.GetImageFromArray((1000 * np.random.default_rng(0).random((10, 12, 14))).astype(np.int16))
    image.SetSpacing((2.0, 2.5, 3.0))
    return image


@pytest.mark.parametrize(
    ("suffix", "header"),
    [(".nii", 360), (".nii.gz", 400), (".nrrd", 400), (".nhdr", 400), (".mha", 400), (".mhd", 400), (".vtk", 400)],
)
def test_damaged_files(tmp_path, suffix, header):
    path = tmp_path / f"scan{suffix}"
    sitk.WriteImage(scan(), str(path), suffix != ".vtk")
    check(path, header, TRIALS if suffix != ".vtk" else TRIALS // 10)


@pytest.mark.parametrize("multi_frame", [False, True])
def test_damaged_dicom(tmp_path, dicom, straight, multi_frame):
    if multi_frame:
        positions = straight(12)
        frames = [np.full((40, 32), n, np.int16) for n in range(12)]
        check(dicom.write(dicom.enhanced(frames, positions), tmp_path / "one.dcm"), 2500, TRIALS)
    else:
        check(dicom.write_slices(tmp_path / "scan", straight(9)), 900, TRIALS)


def check(path, header, trials):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", CODE, str(path), str(header), str(trials), "7"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    outcomes = [json.loads(line) for line in done.stdout.splitlines()]
    bad = [one for one in outcomes if one[1] not in ("read", "refused")]
    assert done.returncode == 0 and len(outcomes) == trials, f"ended by {done.returncode} after {outcomes[-1:]}"
    assert not bad, bad[0][1]
    counts = Counter(outcome for _, outcome in outcomes)
    assert counts["refused"] > 0, counts
    print(path.name, dict(counts))
