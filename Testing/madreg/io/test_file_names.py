"""Names of outputs are checked before the work."""

import os

import pytest

from madreg.errors import InputError
from madreg.io import file_names
from madreg.io.file_names import PICTURE_SUFFIXES, TRANSFORM_SUFFIXES, check_output


def test_outputs_are_checked_before_the_work(tmp_path, monkeypatch):
    assert check_output(tmp_path / "OUT.PNG", PICTURE_SUFFIXES) == tmp_path / "OUT.PNG"
    (tmp_path / "taken.tfm").mkdir()
    (tmp_path / "taken").mkdir()
    (tmp_path / "file").write_text("")
    for name, reason in [
        ("out.png", "unknown ending"),
        ("out", "unknown ending"),
        ("OUT.TFM", "capital letters"),
        (".tfm", "no name before its ending"),
        ("no/out.tfm", "does not exist"),
        ("taken.tfm", "is a folder"),
        ("taken", "is a folder: give the name of a file, such as .*taken/result.tfm"),
        ("file/out.tfm", "does not exist"),
    ]:
        with pytest.raises(InputError, match=reason) as caught:
            check_output(tmp_path / name, TRANSFORM_SUFFIXES)
        assert str(tmp_path / name) in str(caught.value)
    with pytest.raises(InputError, match="would be overwritten"):
        check_output(tmp_path / "in.tfm", TRANSFORM_SUFFIXES, [tmp_path / "x" / ".." / "in.tfm"])

    def refuse(**_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(file_names.tempfile, "TemporaryFile", refuse)
    with pytest.raises(InputError, match="Permission denied"):
        check_output(tmp_path / "out.tfm", TRANSFORM_SUFFIXES)


def test_another_name_of_an_input_is_that_input(tmp_path):
    (tmp_path / "in.tfm").write_text("")
    os.link(tmp_path / "in.tfm", tmp_path / "hard.tfm")  # as In.tfm is on macOS and Windows
    os.symlink(tmp_path / "in.tfm", tmp_path / "soft.tfm")
    for name in ("hard.tfm", "soft.tfm"):
        with pytest.raises(InputError, match=f"{name} is an input and would be overwritten"):
            check_output(tmp_path / name, TRANSFORM_SUFFIXES, [tmp_path / "nothing.nii", tmp_path / "in.tfm"])
