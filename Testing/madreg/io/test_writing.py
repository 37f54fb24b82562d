"""Reports and pictures as files."""

import json
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from madreg.io.writing import picture_content, report_content


def test_reports_are_plain_json(tmp_path):
    content = report_content(
        {"matrix": np.eye(4).tolist(), "stages": [{"before": float("nan")}], "settings": {"weights": tmp_path}}
    )
    content.write(tmp_path / "r.json")
    content.check(tmp_path / "r.json")
    report = json.loads((tmp_path / "r.json").read_text())
    assert report == {
        "matrix": np.eye(4).tolist(),
        "stages": [{"before": None}],
        "settings": {"weights": str(tmp_path)},
    }


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no full device here")
@pytest.mark.parametrize("ending", ["png", "jpg", "svg", "pdf"])
def test_a_picture_on_a_full_disk_is_an_error_of_the_disk(tmp_path, ending):
    figure = Figure(figsize=(1, 1))
    figure.add_subplot().plot([1, 2])
    path = tmp_path / f"picture.{ending}"
    picture_content(figure).write(path)
    picture_content(figure).check(path)
    (tmp_path / f"full.{ending}").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left"):
        picture_content(figure).write(tmp_path / f"full.{ending}")
