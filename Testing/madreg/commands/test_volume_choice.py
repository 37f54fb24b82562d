"""The question which volume of a folder is read: on a terminal, and nowhere else."""

import os
import subprocess
import sys

import pytest

pty = pytest.importorskip("pty")

ASK = "import sys; from madreg.commands.volume_choice import chosen_volume; print(chosen_volume(sys.argv[1]))"


@pytest.fixture(scope="module")
def folder(tmp_path_factory, dicom):
    """Of two series, the second of which is the larger one, and of a single slice."""
    path = tmp_path_factory.mktemp("dicom") / "scans"
    for number, (name, count) in enumerate((("small", 12), ("large", 16), ("scout", 1))):
        positions = [[-30.0, -25.0, 2.0 * k - 20] for k in range(count)]
        tags = {"SeriesInstanceUID": f"1.2.3.{number + 1}", "SeriesDescription": name, "Modality": "MR"}
        dicom.write_slices(path, positions, first=100 * number + 1, **tags)
    return path


def asked(path, typed):
    """What is chosen, and what stands on the terminal, where this is typed."""
    ours, theirs = pty.openpty()
    try:
        process = subprocess.Popen(
            [sys.executable, "-c", ASK, str(path)], stdin=theirs, stdout=subprocess.PIPE, stderr=theirs, text=True
        )
        os.write(ours, typed.encode())
        chosen, _ = process.communicate(timeout=60)
        return chosen.strip(), os.read(ours, 1 << 16).decode()
    finally:
        os.close(ours)
        os.close(theirs)


@pytest.mark.parametrize(
    ("typed", "number"), [("1\n", 1), ("\n", 2), ("7\nx\n3\n1\n", 1)], ids=["a number", "nothing", "no such number"]
)
def test_the_answer_is_taken(folder, typed, number):
    chosen, shown = asked(folder, typed)
    assert chosen == f"{folder}:{number}"
    assert f"{folder} holds 2 volumes:" in shown and "Enter: 2, the largest" in shown
    assert '  1: "small", MR' in shown and '  2: "large", MR' in shown and "scout" not in shown
    assert shown.count("Number of the volume") == typed.count("\n")


def test_the_end_of_the_input_leaves_the_choice_to_the_reader(folder):
    assert asked(folder, "\x04")[0] == str(folder)


def test_one_volume_is_no_question(tmp_path, dicom):
    path = dicom.write_slices(tmp_path / "scan", [[0.0, 0.0, 2.0 * k] for k in range(8)])
    chosen, shown = asked(path, "1\n")
    assert chosen == str(path) and "Number" not in shown
    assert asked(tmp_path, "1\n")[0] == str(tmp_path)  # no series at all: the reader says so


def test_without_a_terminal_nothing_is_asked(folder):
    done = subprocess.run([sys.executable, "-c", ASK, str(folder)], input="1\n", capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == (str(folder), "")
