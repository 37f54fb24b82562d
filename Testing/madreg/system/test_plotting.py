"""Pictures depend neither on the user's settings of matplotlib nor on a home that can be written."""

import os
import subprocess
import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread

from madreg.io.writing import picture_content
from madreg.pictures import overlay
from madreg.system.files import write_file
from madreg.system.plotting import VARIABLE, plain_matplotlib

ROOT = Path(__file__).parents[3] / "MADRegistration"
ODD = {"image.origin": "lower", "savefig.bbox": "tight", "font.size": 30, "text.color": "red"}


def test_the_settings_are_the_defaults_meanwhile():
    with mpl.rc_context(ODD):
        with plain_matplotlib():
            assert all(mpl.rcParams[name] == mpl.rcParamsDefault[name] for name in ODD)
        assert all(mpl.rcParams[name] == value for name, value in ODD.items())


def test_an_overlay_looks_the_same_with_other_settings(odd_grids, blob_volume, tmp_path):
    volume = blob_volume(odd_grids["plain"], sigma_mm=15.0)
    for name, settings in (("plain.png", {}), ("odd.png", ODD)):
        with mpl.rc_context(settings):
            figure = overlay.draw(volume, volume, None, np.eye(4), "A title")
            write_file(tmp_path / name, picture_content(figure))
    np.testing.assert_array_equal(imread(tmp_path / "odd.png"), imread(tmp_path / "plain.png"))


def test_a_figure_is_saved_as_it_was_made(tmp_path):
    figure = Figure(figsize=(3, 2))
    figure.text(0.5, 0.5, "x")
    with mpl.rc_context(ODD):
        write_file(tmp_path / "figure.png", picture_content(figure))
    assert imread(tmp_path / "figure.png").shape[:2] == (220, 330)


@pytest.mark.skipif(os.name == "nt", reason="the home is another one")
def test_a_home_that_takes_no_files_is_not_mentioned_and_nothing_is_left(tmp_path):
    (tmp_path / "temporary").mkdir()
    (tmp_path / "home").touch()  # a file: no folder can be made there, not even by root
    kept = {name: value for name, value in os.environ.items() if name not in (VARIABLE, "XDG_CONFIG_HOME")}
    environment = kept | {
        "PYTHONPATH": str(ROOT),
        "HOME": str(tmp_path / "home"),
        "XDG_CACHE_HOME": str(tmp_path / "home"),
        "TMPDIR": str(tmp_path / "temporary"),
    }
    code = (
        "from madreg.system import plotting, process\nprocess.prepare()\nwith plotting.plain_matplotlib():\n    pass\n"
        "process.leave(0)"
    )
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list((tmp_path / "temporary").iterdir()) == []
