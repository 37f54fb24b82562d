import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from matplotlib.figure import Figure

from madreg.errors import InputError
from madreg.image.geometry import about, apply
from madreg.image.transform import Transform
from madreg.io import writing as output

MATRIX = about([5.0, -8.0, 30.0], np.array([[0.8, -0.6, 0.0], [0.6, 0.8, 0.0], [0.0, 0.0, 1.0]]), [7.0, -11.0, 19.0])
SUFFIXES = output.TRANSFORM_SUFFIXES


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_written_transform_maps_fixed_points_to_moving_points(tmp_path, suffix):
    path = tmp_path / f"out{suffix}"
    output.write_transform(Transform(MATRIX), path)
    transform = sitk.ReadTransform(str(path))
    for point in np.random.default_rng(0).uniform(-100, 100, (10, 3)):
        assert np.linalg.norm(np.array(transform.TransformPoint(point.tolist())) - apply(MATRIX, point)) < 1e-6  # mm
    assert np.allclose(output.read_transform(path).matrix, MATRIX)


@pytest.mark.parametrize(
    "make",
    [
        lambda: sitk.Euler3DTransform((1.0, 2.0, 3.0), 0.1, 0.2, 0.3, (4.0, 5.0, 6.0)),
        lambda: sitk.Similarity3DTransform(1.1, (0.0, 0.0, 1.0), 0.3, (4.0, 5.0, 6.0)),
        lambda: sitk.TranslationTransform(3, (4.0, 5.0, 6.0)),
        lambda: sitk.CompositeTransform([sitk.Euler3DTransform((1.0, 2.0, 3.0), 0.1), sitk.AffineTransform(3)]),
    ],
)
def test_every_linear_transform_can_be_a_start(tmp_path, make):
    transform = make()
    sitk.WriteTransform(transform, str(tmp_path / "in.h5"))
    matrix = output.read_transform(tmp_path / "in.h5").matrix
    point = np.array([10.0, -20.0, 30.0])
    assert np.linalg.norm(apply(matrix, point) - transform.TransformPoint(point.tolist())) < 1e-6


def test_unusable_starts_are_refused(tmp_path):
    field = sitk.DisplacementFieldTransform(sitk.Image([4, 4, 4], sitk.sitkVectorFloat64))
    sitk.WriteTransform(field, str(tmp_path / "field.h5"))
    sitk.WriteTransform(sitk.AffineTransform(2), str(tmp_path / "flat.tfm"))
    flat = sitk.AffineTransform(3)
    flat.SetMatrix([1, 0, 0, 0, 1, 0, 0, 0, 1e-9])
    sitk.WriteTransform(flat, str(tmp_path / "squeezed.tfm"))
    (tmp_path / "text.tfm").write_text("hello")
    for name, reason in [
        ("field.h5", "not a linear"),
        ("flat.tfm", "not a linear"),
        ("squeezed.tfm", "changes volumes"),
        ("text.tfm", "cannot be read"),
        ("missing.tfm", "does not exist"),
    ]:
        with pytest.raises(InputError, match=reason) as caught:
            output.read_transform(tmp_path / name)
        assert name in str(caught.value) and "\n" not in str(caught.value)


def test_outputs_are_checked_before_the_work(tmp_path, monkeypatch):
    assert output.check_output(tmp_path / "OUT.PNG", output.PICTURE_SUFFIXES) == tmp_path / "OUT.PNG"
    (tmp_path / "taken.tfm").mkdir()
    (tmp_path / "file").write_text("")
    for name, reason in [
        ("out.png", "unknown ending"),
        ("out", "unknown ending"),
        ("OUT.TFM", "capital letters"),
        (".tfm", "no name before its ending"),
        ("no/out.tfm", "does not exist"),
        ("taken.tfm", "is a folder"),
        ("file/out.tfm", "does not exist"),
    ]:
        with pytest.raises(InputError, match=reason) as caught:
            output.check_output(tmp_path / name, SUFFIXES)
        assert str(tmp_path / name) in str(caught.value)
    with pytest.raises(InputError, match="would be overwritten"):
        output.check_output(tmp_path / "in.tfm", SUFFIXES, [tmp_path / "x" / ".." / "in.tfm"])

    def refuse(**_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(output.tempfile, "TemporaryFile", refuse)
    with pytest.raises(InputError, match="Permission denied"):
        output.check_output(tmp_path / "out.tfm", SUFFIXES)


def test_reports_are_plain_json(tmp_path):
    content = output.report_content(
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
    output.picture_content(figure).write(path)
    output.picture_content(figure).check(path)
    (tmp_path / f"full.{ending}").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left"):
        output.picture_content(figure).write(tmp_path / f"full.{ending}")
