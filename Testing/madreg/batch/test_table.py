"""Rows of a table become pairs, and what cannot be one is refused in a sentence."""

import os

import pytest

from madreg.batch.pair import LONGEST_ID, Pair, check_id
from madreg.batch.table import output_names, read_table
from madreg.errors import InputError


def test_rows_become_pairs(write_table):
    path = write_table(
        "id,fixed,moving,fixed_mask,moving_mask,initial_transform,type,init,measure,seed",
        "a,T1.nii.gz,CT.nii.gz,,,,,,,",
        "",
        "b,T1.nii.gz,/scans/PET,m1.nii.gz,m2.nii.gz,start.tfm,affine,mass,nmi,7",
    )
    first, second = read_table(path, {"type": "similarity", "seed": 3})
    assert (first.id, first.fixed, first.moving, first.type, first.seed) == (
        *("a", "T1.nii.gz", "CT.nii.gz", "similarity", 3),
    )
    assert first.fixed_mask is None and first.init is None
    assert first.files["transform"] == "pairs/a/transform.tfm" and first.files["result"] == "pairs/a/result.json"
    assert (second.type, second.init, second.measure, second.seed) == ("affine", "center_of_mass", "nmi", 7)
    assert second.input("moving", path.parent).as_posix() == "/scans/PET"
    assert second.input("fixed_mask", path.parent) == path.parent / "m1.nii.gz"
    assert second.initial_transform == "start.tfm"


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_separators_of_spreadsheets_and_quotes(write_table, delimiter):
    path = write_table(
        delimiter.join(("fixed", "moving")), delimiter.join(('"a, b; c.nii"', " d.nii ")), encoding="utf-8-sig"
    )
    (pair,) = read_table(path)
    assert (pair.fixed, pair.moving) == ("a, b; c.nii", "d.nii")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_row_ends_at_a_line_break_and_nowhere_else(tmp_path, end):
    """Other characters at which Python splits lines may be in names."""
    path = tmp_path / "table.csv"
    path.write_bytes(end.join(["fixed,moving", "a\u2028b\x85c.nii,d\x0be.nii", '"f\ng.nii",h.nii', ""]).encode())
    first, second = read_table(path)
    assert (first.fixed, first.moving) == ("a\u2028b\x85c.nii", "d\x0be.nii")
    assert (second.fixed, second.moving) == ("f\ng.nii", "h.nii")


def test_ids_that_are_not_given_do_not_depend_on_the_place_of_the_row(write_table):
    rows = ["x/T1.nii.gz,x/CT scan.nii.gz", "y/T1.nii.gz,y/CT scan.nii.gz"]
    forth = read_table(write_table("fixed,moving", *rows))
    back = read_table(write_table("fixed,moving", *reversed(rows)))
    assert [pair.id for pair in forth] == [pair.id for pair in back][::-1]
    assert forth[0].id.startswith("CT-scan-") and forth[0].id != forth[1].id


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["fixed,moving"], "has no row"),
        (["fixed"], 'no column "moving"'),
        (["fixed,moving,fixed-mask"], 'unknown column "fixed-mask"'),
        (["fixed,moving,fixed"], 'column "fixed" twice'),
        (["fixed,moving", "a.nii,"], "Line 2 of .* has no moving image"),
        (["fixed,moving", "a.nii,b.nii,c.nii"], "Line 2 of .* more values"),
        (["fixed,moving,type", "a,b,rigid", "a,c,bent"], 'Line 3 of .* type "bent": choose one of rigid'),
        (["fixed,moving,seed", "a,b,-1"], 'seed "-1"'),
        (["fixed,moving,seed", "a,b,x"], 'seed "x"'),
        (["id,fixed,moving", "../a,b,c"], "cannot name files"),
        (["id,fixed,moving", "a.,b,c"], "cannot name files"),
        (["id,fixed,moving", "CON,b,c"], "which names a device on Windows"),
        (["id,fixed,moving", "lpt1.head,b,c"], "which names a device on Windows"),
        (["id,fixed,moving", f"{'a' * (LONGEST_ID + 1)},b,c"], "cannot name files"),
        (["id,fixed,moving", "A,b,c", "a,b,d"], "twice"),
        (["fixed,moving", "b,c", "b,c"], r"twice \(line 2 and line 3\)"),
        (["fixed,moving", '"b,c'], "is not CSV"),
    ],
)
def test_what_is_not_a_pair_is_refused(write_table, lines, message):
    with pytest.raises(InputError, match=message):
        read_table(write_table(*lines))


def test_files_that_are_no_tables_are_refused(tmp_path, write_table):
    with pytest.raises(InputError, match="cannot be read"):
        read_table(tmp_path / "nothing.csv")
    with pytest.raises(InputError, match="not UTF-8"):
        read_table(write_table("fixed,moving", "ä,ö", encoding="latin-1"))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(InputError, match="is a pipe"):
        read_table(tmp_path / "pipe.csv")


def test_a_fingerprint_changes_with_every_value():
    pair = Pair("a", "b", "c", files={"result": "r"})
    others = [
        Pair("a", "b", "d", files={"result": "r"}),
        Pair("a", "b", "c", seed=1, files={"result": "r"}),
        Pair("a", "b", "c", files={"result": "r", "resampled": "x"}),
    ]
    assert len({one.fingerprint() for one in (pair, *others)}) == 4
    assert Pair("a", "b", "c", files={"result": "r"}).fingerprint() == pair.fingerprint()


def test_files_are_written_as_they_are_asked_for():
    assert {"resampled", "error_map"} <= set(output_names(resampled=True, error_map=True))
    assert {"overlay", "thumbnail"}.isdisjoint(output_names(pictures=False))
    assert {"transform", "report", "page", "result"} <= set(output_names(pictures=False))


def test_ids_that_only_begin_like_a_device_of_windows_are_taken():
    assert [check_id(name, "Line 2") for name in ("CONtrast", "com10", "a.con")] == ["CONtrast", "com10", "a.con"]
