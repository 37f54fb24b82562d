"""Threads that wait must not spin, in the command and in the worker, unless the user says so."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2] / "MADRegistration"
AFTER = {"cli": "try:\n    cli.main(['--version'])\nexcept SystemExit:\n    pass",
         "courtesy": "courtesy.let_others_work()"}


@pytest.mark.parametrize("module", AFTER)
@pytest.mark.parametrize(("given", "said"), [(None, "PASSIVE"), ("ACTIVE", "ACTIVE")])
def test_the_policy_is_set_before_torch_is_there(module, given, said):
    environment = {k: v for k, v in os.environ.items() if k != "OMP_WAIT_POLICY"} | {"PYTHONPATH": str(ROOT)}
    if given:
        environment["OMP_WAIT_POLICY"] = given
    code = (f"import os, sys\nfrom madreg import {module}\n{AFTER[module]}\n"
            "print(os.environ['OMP_WAIT_POLICY'], 'torch' in sys.modules)")
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines()[-1].split() == [said, "False"], done.stderr
