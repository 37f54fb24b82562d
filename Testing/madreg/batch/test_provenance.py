"""Where the result of a pair comes from: the hashes of a registration, and its sentence for a file that is gone."""

from __future__ import annotations

import hashlib

import pytest

from madreg.batch import provenance
from madreg.batch.pair import Pair
from madreg.errors import InputError

PAIR = Pair("one", "fixed.nii", "moving.nii")


def test_hashes_are_those_of_the_files_beside_the_table(tmp_path):
    for name in ("fixed", "moving"):
        (tmp_path / f"{name}.nii").write_text(name)
    found = provenance.of_pair(PAIR, tmp_path)
    assert found["inputs"] == {
        name: {"path": f"{name}.nii", "sha256": hashlib.sha256(name.encode()).hexdigest()}
        for name in ("fixed", "moving")
    }
    assert {"madreg", "python", "torch"} <= set(found["software"]) and found["platform"]


def test_an_input_that_can_no_longer_be_read_is_one_sentence(tmp_path, monkeypatch):
    def gone(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("madreg.pipeline.provenance.sha256_of_input", gone)
    with pytest.raises(InputError, match=r"fixed\.nii can no longer be read \(Permission denied\): check the path\.$"):
        provenance.of_pair(PAIR, tmp_path)
