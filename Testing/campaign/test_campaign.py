"""A small campaign of faults: nothing that must not happen does.  ``python -m campaign --large`` is the long form."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

TESTING = Path(__file__).resolve().parents[1]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="forks, and reads /proc")
@pytest.mark.skipif("MADREG_CAMPAIGN" not in os.environ, reason="minutes: set MADREG_CAMPAIGN to small or large")
def test_no_fault_is_taken_unnoticed(tmp_path):
    command = [sys.executable, "-m", "campaign", "--json", str(tmp_path / "counts.json")]
    if os.environ.get("MADREG_CAMPAIGN") == "large":
        command.append("--large")
    path = os.pathsep.join([str(TESTING), str(TESTING.parent / "MADRegistration")])
    done = subprocess.run(command, cwd=TESTING, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True)
    assert (tmp_path / "counts.json").exists(), done.stderr
    counts = json.loads((tmp_path / "counts.json").read_text())
    assert counts["bad"] == []
    assert done.returncode == 0, done.stderr
    tried = {}
    for kind, outcome, count in counts["counts"]:
        tried.setdefault(kind.split(":")[0], []).append((outcome, count))
    assert {
        "nii",
        "nii.gz",
        "dicom",
        "mha, zlib",
        "transform tfm",
        "worker",
        "writing",
        "interrupted by SIGINT",
    } <= set(tried)
    assert sum(count for rows in tried.values() for _, count in rows) >= 140


def test_every_way_to_damage_a_file_changes_it_and_is_drawn_from_the_seed(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(TESTING))
    from campaign import scans
    from campaign.damage import damage

    for name, path in scans.write(tmp_path).items():
        data = next(path.iterdir()).read_bytes() if path.is_dir() else path.read_bytes()
        drawn = [damage(data, name, np.random.default_rng([1, n])) for n in range(40)]
        again = [damage(data, name, np.random.default_rng([1, n])) for n in range(40)]
        assert drawn == again
        assert len({one.kind for one in drawn}) >= 4
        assert sum(one.data != data for one in drawn) >= 30  # zeros over zeros change nothing
        assert all(one.data != data for one in drawn if one.detectable)


def test_a_campaign_that_was_cut_off_goes_on_and_tries_bad_trials_again(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(TESTING))
    from campaign import outcomes

    journal = tmp_path / "journal.jsonl"
    first = outcomes.Counts.resumed(journal, 3)
    for trial, outcome in enumerate((outcomes.REFUSED, outcomes.HANG, outcomes.REFUSED)):
        first.add("nii: zeros", outcome, "why", ("inputs", trial))
    second = outcomes.Counts.resumed(journal, 3)
    assert second.total(outcomes.REFUSED) == 2 and not second.bad
    assert list(second.remaining("inputs", 5)) == [1, 3, 4] and list(second.remaining("writes", 2)) == [0, 1]
    second.add("nii: zeros", outcomes.INTACT, "", ("inputs", 1))
    third = outcomes.Counts.resumed(journal, 3)
    assert third.counts == second.counts and list(third.remaining("inputs", 3)) == []
    with pytest.raises(ValueError, match="is of seed 3"):
        outcomes.Counts.resumed(journal, 4)
