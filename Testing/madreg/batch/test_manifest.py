"""A manifest is whole after anything, and says what remains."""

import json
import time

import pytest

from madreg.batch import manifest, summary, table
from madreg.batch.pair import Pair
from madreg.errors import InputError
from madreg.system import locks


def entry_of(pair, state="done", **more):
    return {"id": pair.id, "fingerprint": pair.fingerprint(), "state": state, **more}


def pairs_of(number, **values):
    return [
        Pair(f"p{n}", f"f{n}", f"m{n}", files={"result": f"pairs/p{n}/result.json"}, **values) for n in range(number)
    ]


def test_what_is_done_does_not_remain(tmp_path):
    pairs = pairs_of(4)
    with manifest.opened(tmp_path) as record:
        assert record.remaining(pairs) == pairs
        record.add(entry_of(pairs[0]))
        record.add(entry_of(pairs[1], "error"))
        record.add(entry_of(pairs[2], "killed"))
    with manifest.opened(tmp_path) as record:
        assert record.remaining(pairs) == [pairs[3]]
        assert record.remaining(pairs, retry_failed=True) == pairs[1:]
        changed = pairs_of(4, seed=1)
        assert record.remaining(changed) == changed


@pytest.mark.parametrize("cut", [1, 5, 40])
def test_a_line_that_was_cut_off_is_removed(tmp_path, cut):
    pairs = pairs_of(3)
    with manifest.opened(tmp_path) as record:
        for pair in pairs[:2]:
            record.add(entry_of(pair))
    path = tmp_path / "manifest.jsonl"
    path.write_bytes(path.read_bytes()[:-cut])
    with manifest.opened(tmp_path) as record:
        assert record.remaining(pairs) == pairs[1:]
        record.add(entry_of(pairs[1]))
    assert [json.loads(line)["id"] for line in path.read_text().splitlines()] == ["p0", "p1"]


def test_a_damaged_line_is_named(tmp_path):
    (tmp_path / "manifest.jsonl").write_text('{"id": "a"}\n')
    with pytest.raises(InputError, match=r"Line 1 of .* is damaged"), manifest.opened(tmp_path):
        pass


@pytest.mark.parametrize(
    "wrong",
    [
        {"finished": "yesterday"},
        {"state": "dance"},
        {"error_after_mm": "1.2"},
        {"verdict": 7},
        {"notices": "one"},
        {"notices": [1]},
        {"files": []},
        {"files": {"page": 3}},
        {"settings": None},
    ],
    ids=str,
)
def test_a_line_of_other_kinds_of_values_is_damaged(tmp_path, wrong):
    good = entry_of(pairs_of(1)[0])
    (tmp_path / "manifest.jsonl").write_text(json.dumps(good) + "\n" + json.dumps(good | wrong) + "\n")
    with pytest.raises(InputError, match=r"Line 2 of .* is damaged"), manifest.opened(tmp_path):
        pass


@pytest.mark.skipif(locks.fcntl is None, reason="no locks on this system")
def test_two_batches_do_not_write_to_one_manifest(tmp_path):
    with manifest.opened(tmp_path):
        with pytest.raises(InputError, match="Another batch"), manifest.opened(tmp_path):
            pass
        with manifest.opened(tmp_path, "sub-01"):  # participants have manifests of their own
            pass
    with manifest.opened(tmp_path):
        pass


def test_the_latest_line_of_all_manifests_counts(tmp_path):
    pairs = pairs_of(1)
    with manifest.opened(tmp_path, "sub-01") as record:
        record.add(entry_of(pairs[0], "error", finished=1.0))
    with manifest.opened(tmp_path) as record:
        record.add(entry_of(pairs[0], finished=2.0))
    assert manifest.read_all(tmp_path)["p0"]["state"] == "done"


def test_a_result_is_only_that_of_the_same_values(tmp_path):
    pair, changed = pairs_of(1)[0], pairs_of(1, seed=1)[0]
    path = tmp_path / pair.files["result"]
    assert manifest.result_of(pair, tmp_path) is None
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(entry_of(pair)))
    assert manifest.result_of(pair, tmp_path)["id"] == "p0"
    assert manifest.result_of(changed, tmp_path) is None


def test_counts():
    verdicts = ["aligned", "check", "failed"]
    entries = [{"state": "done", "verdict": verdict} for verdict in verdicts]
    assert manifest.counts([*entries, {"state": "error"}, {"state": "killed"}]) == {"done": 2, "check": 1, "failed": 3}


@pytest.mark.slow
def test_ten_thousand_rows_go_on_at_once(tmp_path, write_table):
    path = write_table("fixed,moving", *(f"scans/{n}/T1w.nii.gz,scans/{n}/ct.nii.gz" for n in range(10_000)))
    pairs = table.read_table(path)
    with manifest.opened(tmp_path) as record:
        for pair in pairs[:-3]:
            record.add(entry_of(pair, verdict="aligned", error_after_mm=1.0))
    start = time.process_time()
    with manifest.opened(tmp_path) as record:
        assert record.remaining(table.read_table(path)) == pairs[-3:]
        summary.write(tmp_path, record.entries.values())
    assert time.process_time() - start < 5
