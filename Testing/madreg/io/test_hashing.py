"""Hashes of inputs."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from madreg.io.hashing import sha256_of_input


def test_of_a_file_and_of_a_folder(tmp_path):
    folder = tmp_path / "series"
    (folder / "below").mkdir(parents=True)
    (folder / "a.dcm").write_bytes(b"one")
    (folder / "below" / "b.dcm").write_bytes(b"two")
    assert sha256_of_input(folder / "a.dcm") == hashlib.sha256(b"one").hexdigest()
    whole = sha256_of_input(folder)
    assert sha256_of_input(f"{folder}:2") == whole and sha256_of_input(tmp_path / "none") is None
    (folder / "below" / "b.dcm").rename(folder / "below" / "c.dcm")
    renamed = sha256_of_input(folder)
    (folder / "a.dcm").write_bytes(b"One")
    assert len({whole, renamed, sha256_of_input(folder)}) == 3


def test_a_file_that_may_not_be_read_does_not_end_the_work(tmp_path, monkeypatch):
    (tmp_path / "a.dcm").write_bytes(b"one")
    (tmp_path / "b.dcm").write_bytes(b"two")
    whole, opened = sha256_of_input(tmp_path), Path.open

    def denied(path, *arguments):
        if path.name == "b.dcm":
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, *arguments)

    monkeypatch.setattr(Path, "open", denied)
    assert len({whole, sha256_of_input(tmp_path), None}) == 3


@pytest.mark.parametrize("ending", [".mhd", ".nhdr", ".hdr"])
def test_voxels_beside_their_header_count(tmp_path, ending):
    image = sitk.GetImageFromArray(np.arange(60, dtype=np.int16).reshape(3, 4, 5))
    sitk.WriteImage(image, str(tmp_path / f"scan{ending}"))
    before = sha256_of_input(tmp_path / f"scan{ending}")
    assert before == sha256_of_input(tmp_path / f"scan{ending}")
    (other,) = (one for one in tmp_path.iterdir() if one.suffix != ending)
    other.write_bytes(other.read_bytes()[:-1] + b"x")
    assert sha256_of_input(tmp_path / f"scan{ending}") not in (before, None)
    (tmp_path / f"scan{ending}").write_bytes(b"nothing")
    assert sha256_of_input(tmp_path / f"scan{ending}") is not None
