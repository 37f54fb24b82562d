"""Rows are honest, and a run that was cut off goes on where it stopped."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest

from madreg.errors import InputError
from madreg.progress import StageRecord
from madreg_benchmark.cases.trial import make_trial
from madreg_benchmark.methods.method import Method, Options, Outcome
from madreg_benchmark.methods.own import stage_seconds
from madreg_benchmark.methods.registry import METHODS, find_methods
from madreg_benchmark.running import plan as running
from madreg_benchmark.running.plan import Plan, run_plan
from madreg_benchmark.running.rows import read_rows
from madreg_benchmark.running.trial import run_trial
from translation import translation_matrix


def plan_of(cases, methods, levels=("small",), trials=1, seed=0, weights="w", fresh=False) -> Plan:
    return Plan(list(cases), methods, list(levels), trials, Options(seed), fresh, "abc", weights)


def test_errors_are_in_millimetres(cases, tmp_path):
    trial = make_trial(cases[0], "large", 0, tmp_path)
    off = translation_matrix(3.0, 0.0, -4.0)
    exact = Method("exact", True, lambda f, m, a, o: Outcome(trial.truth))
    shifted = Method("shifted", True, lambda f, m, a, o: Outcome(off @ trial.truth))
    assert run_trial(exact, trial, False, Options(), False)["error_mm"] == 0
    row = run_trial(shifted, trial, False, Options(), False)
    assert row["error_mm"] == pytest.approx(5.0, abs=1e-3)
    assert row["before_mm"] > 20


def test_a_method_that_raises_or_returns_nonsense_is_a_failed_row(cases, tmp_path):
    trial = make_trial(cases[0], "large", 0, tmp_path)

    def broken(fixed, moving, affine, options):
        raise ValueError("no overlap")

    row = run_trial(Method("broken", True, broken), trial, False, Options(), False)
    assert row["note"] == "ValueError: no overlap" and row["error_mm"] == row["before_mm"]
    nonsense = Method("nonsense", True, lambda f, m, a, o: Outcome(np.full((4, 4), np.nan)))
    assert "not finite" in run_trial(nonsense, trial, False, Options(), False)["note"]


def test_a_stage_that_ran_twice_counts_with_both():
    stages = [
        StageRecord(name, "nmi", 1.0, 0.5, seconds) for name, seconds in (("coarse", 1.5), ("fine", 2), ("coarse", 4))
    ]
    assert stage_seconds(stages) == {"coarse": 5.5, "fine": 2.0}


def test_a_cut_off_run_goes_on_without_repeating(cases, tmp_path, monkeypatch):
    path, calls = tmp_path / "results.jsonl", []

    def counted(name: str, fail_after: int | None = None):
        def run(fixed, moving, affine, options):
            if fail_after is not None and len(calls) == fail_after:
                raise KeyboardInterrupt
            calls.append(name)
            return Outcome(np.eye(4))

        return Method(name, True, run)

    monkeypatch.setitem(METHODS, "one", counted("one"))
    monkeypatch.setitem(METHODS, "two", counted("two", fail_after=5))
    with pytest.raises(KeyboardInterrupt):
        run_plan(plan_of(cases, [METHODS["one"], METHODS["two"]], ["small", "large"], 2), path)
    assert len(calls) == 5
    with path.open("a", encoding="utf-8") as file:  # the line that was being written when the power went
        file.write('{"method": "two", "ca')
    monkeypatch.setitem(METHODS, "two", counted("two"))
    rows = run_plan(plan_of(cases, [METHODS["one"], METHODS["two"]], ["small", "large"], 2), path)
    assert len(rows) == 16 and len(calls) == 16
    assert len(read_rows(path)) == 16
    assert [running.row_key(row) for row in rows] == plan_of(
        cases, [METHODS["one"], METHODS["two"]], ["small", "large"], 2
    ).row_keys()
    run_plan(plan_of(cases, [METHODS["one"], METHODS["two"]], ["small", "large"], 2), path)
    assert len(calls) == 16


def test_resumed_rows_equal_those_of_one_run(cases, tmp_path):
    methods = [METHODS["identity"], METHODS["centers"]]
    whole = run_plan(plan_of(cases, methods, ["small", "crop"]), tmp_path / "whole.jsonl")
    run_plan(plan_of(cases, methods, ["small"]), tmp_path / "parts.jsonl")
    parts = run_plan(plan_of(cases, methods, ["small", "crop"]), tmp_path / "parts.jsonl")
    assert [row["error_mm"] for row in parts] == [row["error_mm"] for row in whole]


def test_figures_of_other_weights_or_seeds_are_not_mixed(cases, tmp_path, monkeypatch):
    monkeypatch.setitem(METHODS, "one", Method("one", True, lambda f, m, a, o: Outcome(np.eye(4))))
    path = tmp_path / "results.jsonl"
    run_plan(plan_of(cases, [METHODS["one"], METHODS["identity"]]), path)
    with pytest.raises(InputError, match="weights w, and this run has other"):
        run_plan(plan_of(cases, [METHODS["one"]], weights="other"), path)
    with pytest.raises(InputError, match="seed 0, and this run has 1"):
        run_plan(plan_of(cases, [METHODS["one"]], seed=1), path)
    with pytest.raises(InputError, match="clock"):
        run_plan(plan_of(cases, [METHODS["identity"]], fresh=True), path)
    run_plan(plan_of(cases, [METHODS["identity"]], weights="other"), path)  # identity has no weights


def test_damaged_rows_are_refused(tmp_path):
    (tmp_path / "results.jsonl").write_text('{"a": 1}\nnot json\n{"a": 2}\n', encoding="utf-8")
    with pytest.raises(InputError, match="damaged in line 2"):
        read_rows(tmp_path / "results.jsonl")


def test_fresh_process_measures_time_and_memory(cases, tmp_path):
    rows = run_plan(plan_of(cases[:1], [METHODS["centers"]], fresh=True), tmp_path / "results.jsonl")
    here = run_plan(plan_of(cases[:1], [METHODS["centers"]]), tmp_path / "here.jsonl")
    assert rows[0]["note"] == "" and rows[0]["error_mm"] == here[0]["error_mm"]
    assert rows[0]["seconds"] > here[0]["seconds"]  # start-up is in it
    if sys.platform == "linux":
        assert 50 < rows[0]["memory_mb"] < 2000
    assert here[0]["memory_mb"] is None


def test_a_crash_in_a_fresh_process_is_a_failed_row(cases, tmp_path):
    rows = run_plan(
        plan_of(cases[:1], [Method("no such method", False, METHODS["identity"].run)], fresh=True),
        tmp_path / "results.jsonl",
    )
    assert "KeyError" in rows[0]["note"] and rows[0]["error_mm"] == rows[0]["before_mm"]


def test_methods_are_found_left_out_or_refused(monkeypatch):
    monkeypatch.setitem(
        METHODS,
        "peer:absent",
        Method("peer:absent", False, METHODS["identity"].run, "no_such_package", "no-such-package"),
    )
    methods, notices = find_methods(["identity", "peer:absent", "identity"])
    assert [m.name for m in methods] == ["identity"]
    assert notices == ["peer:absent is left out: it needs the package no-such-package."]
    with pytest.raises(InputError, match="no method nothing"):
        find_methods(["nothing"])
    with pytest.raises(InputError, match="left out"):
        find_methods(["peer:absent"])


def test_unknown_levels_are_refused(cases):
    with pytest.raises(InputError, match="no level huge"):
        plan_of(cases, [METHODS["identity"]], ["huge"])


def test_rows_are_plain_json(cases, tmp_path):
    run_plan(plan_of(cases[:1], [METHODS["identity"]]), tmp_path / "results.jsonl")
    row = json.loads((tmp_path / "results.jsonl").read_text(encoding="utf-8"))
    assert {
        "method",
        "case",
        "level",
        "trial",
        "contrast",
        "clock",
        "seed",
        "weights",
        "commit",
        "before_mm",
        "error_mm",
        "seconds",
        "memory_mb",
        "note",
    } <= row.keys()
