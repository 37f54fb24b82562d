"""A forked program is like one that was started: arguments, environment, folder, streams, and its end."""

import json
import os
import subprocess
import sys

import pytest

CODE = """
import json, os, sys
words = sys.stdin.read()
print(json.dumps([sys.argv[1:], os.environ["WORD"], os.getcwd(), words, "SimpleITK" in sys.modules]))
print("an error", file=sys.stderr)
"""


@pytest.fixture
def start(fork_server, tmp_path):
    """Function: fork ``python`` with these words in an empty folder."""
    if fork_server is None:
        pytest.skip("nothing is forked here")

    def popen(*words):
        with (tmp_path / "errors").open("wb") as errors:
            return fork_server.popen(
                [sys.executable, *words],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env={**os.environ, "WORD": "of the environment"},
                cwd=tmp_path,
            )

    return popen


@pytest.mark.parametrize("is_script", [False, True])
def test_it_gets_what_it_is_given(start, tmp_path, is_script):
    (tmp_path / "script.py").write_text(CODE)
    with start(*([str(tmp_path / "script.py")] if is_script else ["-c", CODE]), "one", "two") as process:
        printed, _ = process.communicate(b"of the input", 60)
    assert json.loads(printed) == [["one", "two"], "of the environment", str(tmp_path), "of the input", True]
    assert (tmp_path / "errors").read_text() == "an error\n"


def test_its_end_is_seen(start):
    with start("-c", "import sys; sys.stdin.read()") as process:
        assert process.poll() is None
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.05)
        process.kill()
        process.wait(60)
        assert process.poll() is not None


def test_a_crash_ends_no_other_program(start):
    with start("-c", "import os; os.abort()") as process:
        assert process.communicate(b"", 60)[0] == b""
    with start("-c", "print('here')") as process:
        assert process.communicate(b"", 60)[0] == b"here\n"
