"""Every study runs in its small form, and rows that were kept are not made again."""

import json
from pathlib import Path

import numpy as np
import pytest

from madreg.errors import InputError
from madreg_benchmark.cases.case import Case
from madreg_benchmark.studies import study as studies
from madreg_benchmark.studies.registry import STUDIES, find_study
from madreg_benchmark.studies.study import Setting, Study, collect, run_study


@pytest.mark.parametrize("name", STUDIES)
def test_every_study_has_its_parts(name):
    study = find_study(name)
    assert isinstance(study, Study)
    cases = [Case(name, Path(), Path(), np.eye(4), "CT-T1") for name in ("first", "second")]
    assert 0 < study.units(Setting(cases, Path(), quick=True)) <= study.units(Setting(cases, Path()))


def test_a_study_is_measured_and_written_with_what_it_was_made_from(tmp_path):
    study = Study("head", lambda s: 3, lambda s: [s.seed], lambda found, source, out: f"{found} {source} {out}")
    text = run_study(study, Setting([None], tmp_path, seed=7))
    assert text.startswith("[7] Commit ") and "seed 7; 1 cases, 3 heads" in text and text.endswith(str(tmp_path))


def test_rows_are_made_once(tmp_path):
    made, ticks = [], []
    setting = Setting([], tmp_path, on_unit=lambda: ticks.append(1))

    def make(key: dict) -> dict:
        made.append(key["step"])
        return {"square": key["step"] ** 2}

    collect(setting, "steps", [{"step": 2}, {"step": 3}], make)
    with (tmp_path / "steps.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"step": 4, "squ')  # cut off
    rows = collect(setting, "steps", [{"step": 3}, {"step": 4}, {"step": 2}], make)
    assert [row["square"] for row in rows] == [9, 16, 4]
    assert made == [2, 3, 4] and len(ticks) == 5
    assert [
        json.loads(line)["step"] for line in (tmp_path / "steps.jsonl").read_text(encoding="utf-8").splitlines()
    ] == [2, 3, 4]


def test_rows_of_another_seed_or_other_weights_are_not_mixed(tmp_path, monkeypatch):
    collect(Setting([], tmp_path), "steps", [{"step": 2}], lambda key: {})
    with pytest.raises(InputError, match="seed 0, and this run has 1; choose another --out"):
        collect(Setting([], tmp_path, seed=1), "steps", [{"step": 2}], lambda key: {})
    monkeypatch.setattr(studies, "weights_hash", lambda: "other")
    with pytest.raises(InputError, match="choose another --out"):
        collect(Setting([], tmp_path), "steps", [{"step": 2}], lambda key: {})
