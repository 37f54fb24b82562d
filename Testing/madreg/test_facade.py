"""What ``import madreg`` offers, and that it loads nothing before it is used."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import madreg


def test_everything_that_is_offered_is_there():
    assert sorted({*madreg._MODULES, "__version__"}) == madreg.__all__
    for name in madreg.__all__:
        assert getattr(madreg, name) is not None
    assert set(madreg.__all__) <= set(dir(madreg))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        madreg.nothing  # noqa: B018


def test_importing_it_loads_neither_torch_nor_numpy():
    code = (
        "import sys, madreg, madreg.settings, madreg.measures, madreg.commands.main\n"
        "assert not {'torch', 'numpy', 'SimpleITK'} & set(sys.modules), 'heavy import'\n"
        "madreg.Job, madreg.read_transform\n"
        "assert 'torch' not in sys.modules"
    )
    sources = Path(madreg.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(sources)}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
