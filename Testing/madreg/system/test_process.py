"""Threads that wait must not spin, unless the user says so; a process ends at once, and loses nothing it printed."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3] / "MADRegistration"
STEPS = ["limit_spinning", "prepare"]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize(("given", "said"), [(None, "2000"), ("77", "77")])
def test_the_policy_is_set_before_torch_is_there(step, given, said):
    environment = {k: v for k, v in os.environ.items() if k != "GOMP_SPINCOUNT"} | {"PYTHONPATH": str(ROOT)}
    if given:
        environment["GOMP_SPINCOUNT"] = given
    code = (
        f"import os, sys\nfrom madreg.system import process\nprocess.{step}()\n"
        "print(os.environ['GOMP_SPINCOUNT'], 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines()[-1].split() == [said, "False"], done.stderr


def test_leaving_keeps_what_was_printed_and_the_status():
    code = (
        "import atexit, sys\nfrom madreg.system.process import leave\natexit.register(print, 'taken apart')\n"
        "print('all said', end='')\nprint('a warning', file=sys.stderr, end='')\nleave(3)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.stdout, done.stderr, done.returncode) == ("all said", "a warning", 3)


def number_printed(code: str, *words: str, **environment: str) -> int:
    """By a process that runs some code."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    return int(subprocess.run([sys.executable, "-c", code, *words], env=environment, capture_output=True).stdout)


FAULTS = """
import resource, sys
import numpy as np
from madreg.system.process import reuse_memory
if sys.argv[1] == "reuse":
    reuse_memory()
for _ in range(200):
    np.ones(1 << 17)  # 1 MB: numpy asks for larger pages from 4 MB on
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc returns memory so")
def test_memory_is_reused_in_a_worker_of_dask():
    """Every page that is taken from the system anew is a fault."""
    faults = [number_printed(FAULTS, word, MALLOC_TRIM_THRESHOLD_="65536") for word in ("reuse", "plain")]
    assert faults[0] < faults[1] / 3


HELD = """
from madreg.system.process import held_bytes
before = held_bytes()
held = b"1" * 50_000_000
print(held_bytes() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="known on Linux alone")
def test_memory_that_is_held_grows_with_what_is_allocated():
    assert 40_000_000 < number_printed(HELD) < 60_000_000
