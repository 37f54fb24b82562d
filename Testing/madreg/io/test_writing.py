import json

import numpy as np
import pytest
import SimpleITK as sitk

from madreg.errors import InputError
from madreg.image.geometry import Grid, about, apply
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


@pytest.mark.parametrize(
    "kind", [sitk.sitkUInt8, sitk.sitkInt16, sitk.sitkUInt16, sitk.sitkInt32, sitk.sitkFloat32, sitk.sitkFloat64]
)
def test_the_resampled_image_has_the_blob_where_the_transform_says(blob_image, odd_grids, kind):
    fixed, landmark = odd_grids["oblique"], np.array([8.0, -25.0, 41.0])
    moving = Grid.covering(np.full(3, -60.0), np.full(3, 90.0), 3.0)
    image = sitk.Cast(blob_image(moving, apply(MATRIX, landmark), 7.0) + 10, kind)
    resampled = output.resample(image, fixed.as_image(np.zeros(fixed.shape, np.uint8)), Transform(MATRIX))
    assert resampled.GetPixelID() == kind
    assert np.allclose(Grid.of_image(resampled).matrix, fixed.matrix) and resampled.GetSize() == fixed.size
    weight = sitk.GetArrayFromImage(resampled).astype(float) - 10
    points = fixed.points().double().numpy()
    found = (weight[..., None] * points).sum((0, 1, 2)) / weight.sum()
    assert np.linalg.norm(found - landmark) < 0.3  # mm
    assert 95 <= sitk.GetArrayFromImage(resampled).max() <= 110  # original intensities


def test_integers_are_rounded_not_cut():
    moving = sitk.GetImageFromArray(np.random.default_rng(0).integers(-1000, 2000, (12, 12, 12)).astype(np.int16))
    shift = Transform(about(np.zeros(3), np.eye(3), np.array([0.37, 0.21, -0.3])))
    inner = (slice(2, -2),) * 3
    whole = sitk.GetArrayFromImage(output.resample(moving, moving, shift))[inner]
    exact = sitk.GetArrayFromImage(output.resample(sitk.Cast(moving, sitk.sitkFloat64), moving, shift))[inner]
    assert whole.dtype == np.int16 and np.abs(whole - exact).max() <= 0.501


def test_what_the_moving_image_does_not_cover_gets_its_lowest_value():
    moving = sitk.GetImageFromArray(np.random.default_rng(0).integers(-1000, 2000, (9, 9, 9)).astype(np.int16))
    fixed = sitk.Image([5, 5, 5], sitk.sitkUInt8)
    far = Transform(about(np.zeros(3), np.eye(3), np.array([500.0, 0, 0])))
    resampled = output.resample(moving, fixed, far)
    assert (sitk.GetArrayFromImage(resampled) == sitk.GetArrayFromImage(moving).min()).all()
    holes = sitk.Cast(moving, sitk.sitkFloat32)
    holes[4, 4, 4] = float("nan")
    assert np.isfinite(sitk.GetArrayFromImage(output.resample(holes, fixed, far))).all()


def test_outputs_are_checked_before_the_work(tmp_path, monkeypatch):
    assert output.check_output(tmp_path / "OUT.TFM", SUFFIXES) == tmp_path / "OUT.TFM"
    (tmp_path / "taken.tfm").mkdir()
    (tmp_path / "file").write_text("")
    for name, reason in [
        ("out.png", "unknown ending"),
        ("out", "unknown ending"),
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
