"""``python -m madreg_benchmark`` from its options to tables and plots, in millimetres, without any data."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from fewer import fewer_poses_and_blocks, fewer_samples
from madreg.errors import InputError
from madreg_benchmark import command
from madreg_benchmark.studies.registry import STUDIES

METHODS = "identity,centers,default"
DATA = Path(__file__).resolve().parents[4] / "shared" / "data"


@pytest.fixture(scope="module")
def quick(cases, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("quick")
    words = [
        "methods",
        str(cases[0].fixed.parent),
        "--quick",
        "--levels",
        "large",
        "--methods",
        METHODS,
        "--out",
        str(out),
    ]
    with fewer_poses_and_blocks(), fewer_samples():
        assert command.main(words) == 0
    return out


@pytest.mark.parametrize("name", ["methods", "study", "assemble", "results"])
def test_every_command_has_help(name, capsys):
    with pytest.raises(SystemExit) as ended:
        command.main([name, "--help"])
    assert ended.value.code == 0 and "CASES" in capsys.readouterr().out.upper()


def rows_of(out: Path, method: str) -> list[dict]:
    rows = [json.loads(line) for line in (out / "results.jsonl").read_text(encoding="utf-8").splitlines()]
    return [row for row in rows if row["method"] == method]


@pytest.mark.slow
def test_quick_run_is_right_to_the_millimetre(quick):
    for row in rows_of(quick, "default"):
        assert row["note"] == "" and row["before_mm"] > 20
        assert row["error_mm"] < 1.5, row
    for row in rows_of(quick, "identity"):
        assert row["error_mm"] == row["before_mm"]
    assert all(row["error_mm"] > 0 for row in rows_of(quick, "centers"))


@pytest.mark.slow
def test_quick_run_writes_whole_tables(quick):
    with (quick / "summary.csv").open(encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    assert [(line["level"], line["method"]) for line in lines] == [("large", method) for method in METHODS.split(",")]
    for line in lines:
        errors = [row["error_mm"] for row in rows_of(quick, line["method"])]
        assert float(line["mean mm (MAE)"]) == pytest.approx(np.mean(errors), rel=0.01, abs=0.006)
        assert line["trials"] == "2"
    page = (quick / "results.md").read_text(encoding="utf-8")
    assert re.search(
        r"Commit \S+.*; weights \S+; seed 0; 2 cases x 1 trial a level; in-process clock; .+; madreg_benchmark", page
    )
    assert "CT-T1" in (quick / "by_contrast.csv").read_text(encoding="utf-8")
    with (quick / "contrasts.csv").open(encoding="utf-8") as file:
        for line in csv.DictReader(file):
            (row,) = (row for row in rows_of(quick, line["method"]) if row["contrast"] == "CT-T1")
            assert float(line["CT-T1"].split()[0]) == pytest.approx(row["error_mm"], rel=0.01, abs=0.006)
            assert line["CT-T1"].endswith(f"{'100%' if row['error_mm'] < 5 else '0%'} of 1")


@pytest.mark.slow
def test_quick_run_draws_plots(quick):
    for name in ("success", "errors", "time"):
        picture = sitk.GetArrayFromImage(sitk.ReadImage(str(quick / f"{name}.png")))
        assert min(picture.shape[:2]) > 300 and picture[..., :3].std() > 10
        assert "</svg>" in (quick / f"{name}.svg").read_text(encoding="utf-8")


@pytest.mark.slow
def test_a_second_run_reuses_the_rows(run, cases, quick, capsys):
    before = (quick / "results.jsonl").read_text(encoding="utf-8")
    words = ["methods", cases[0].fixed.parent, "--quick", "--levels", "large"]
    assert run(*words, "--methods", "identity,default", "--out", quick) == 0
    assert (quick / "results.jsonl").read_text(encoding="utf-8") == before
    assert "| large | default |" in capsys.readouterr().out


WITH_TESTS_OF_THEIR_OWN = {
    "ablations",
    "alone",
    "anatomy",
    "bodies",
    "costs",
    "designs",
    "distances",
    "estimates",
    "feature_ablations",
    "landscapes",
    "sizes",
}
"""Those run the quick form too."""


@pytest.mark.slow
@pytest.mark.parametrize("study", [name for name in STUDIES if name not in WITH_TESTS_OF_THEIR_OWN])
def test_every_study_runs_quickly_and_says_what_it_was_made_from(study, quick_study):
    quick_study(study)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--methods", "identity"], "Give a folder"),
        (["nowhere", "--methods", "identity"], "cases.json does not exist"),
        (["--quick", "--methods", "magic"], "There is no method magic"),
        (["--quick", "--levels", "huge", "--methods", "identity"], "There is no level huge"),
        (["--quick", "--only", "knee", "--methods", "identity"], "No case in"),
        (["--quick", "--trials", "0", "--methods", "identity"], "Nothing to do"),
    ],
)
def test_bad_input_is_one_sentence(run, words, message, tmp_path):
    with pytest.raises(InputError, match=message):
        run("methods", *words, "--out", tmp_path / "out")


def test_an_output_folder_that_cannot_be_written_is_refused_first(run, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="choose another --out"):
        run("methods", "--quick", "--methods", "identity", "--out", tmp_path / "file")


@pytest.mark.slow
@pytest.mark.skipif(not DATA.is_dir(), reason=f"the shared data is not at {DATA}")
def test_cases_are_assembled_like_the_shared_benchmarks(run, tmp_path):
    assert run("assemble", "heads", DATA, tmp_path) == 0
    cases = json.loads((tmp_path / "cases.json").read_text(encoding="utf-8"))
    assert [case["name"] for case in cases] == [
        "intra_T1_T2",
        "intra_FLAIR_T1",
        "inter_T1_FLAIR",
        "inter_FLAIR_FLAIR",
        "template_CT_T1",
        "template_PET_T1",
        "template_T1_FLAIR",
        "sim_CT_T1_15",
        "sim_CT_T1_16",
    ]
    ct, t1 = (sitk.ReadImage(str(tmp_path / cases[-1][role])) for role in ("fixed", "moving"))
    assert ct.GetSpacing() == pytest.approx((1.5, 1.5, 3.0)) and t1.GetSpacing() == pytest.approx((1.5, 1.5, 1.5))
    assert sitk.GetArrayViewFromImage(ct).max() > 1000 > sitk.GetArrayViewFromImage(t1).max()


def test_errors_are_one_sentence_and_the_status_says_so(tmp_path, capsys):
    assert command.main(["methods", str(tmp_path), "--out", str(tmp_path / "out")]) == 1
    shown = capsys.readouterr().err
    assert shown.count("\n") == 1 and "cases.json does not exist" in shown


def test_missing_data_for_the_cases_is_named(run, tmp_path):
    with pytest.raises(InputError, match=r"gt_pairs\.json does not exist"):
        run("assemble", "heads", tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()
