"""The log of a training that goes on."""

import csv

import pytest

from madreg.errors import InputError
from madreg.learn.log import COLUMNS, TrainingLog


@pytest.fixture
def path(tmp_path):
    """A log of two steps, validated on pairs that were held out."""
    log = TrainingLog(tmp_path / "log.csv", ["held out"], 0)
    for step in (25, 50):
        log.write(dict.fromkeys(log.columns, 1) | {"step": step})
    return log.path


def steps(path):
    with open(path, newline="", encoding="utf-8") as stream:
        return [row["step"] for row in csv.DictReader(stream)]


def test_later_rows_and_one_that_was_cut_off_are_removed(path):
    with open(path, "a", encoding="utf-8") as stream:
        stream.write("40,1,1")
    TrainingLog(path, ["held out"], 45)
    assert steps(path) == ["25"]


def test_it_goes_on_with_other_pairs_to_validate_on(path):
    log = TrainingLog(path, ["training scans"], 50)
    assert steps(path) == ["25", "50"] and log.columns[len(COLUMNS)] == "mae training scans"


@pytest.mark.parametrize("content", [b"\xff\xfe", b"name,value\na,1\n", b"step\nmany\n", None])
def test_another_file_is_refused_in_a_sentence(path, content):
    path.unlink()
    path.mkdir() if content is None else path.write_bytes(content)
    with pytest.raises(InputError, match=r"log.csv is no log of a training: "):
        TrainingLog(path, [], 50)
