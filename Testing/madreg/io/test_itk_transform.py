"""Transforms are written as ITK reads them, and every linear one is read."""

import numpy as np
import pytest
import SimpleITK as sitk

from madreg.errors import InputError
from madreg.image.geometry import about, apply
from madreg.image.transform import Transform
from madreg.io.file_names import TRANSFORM_SUFFIXES
from madreg.io.itk_transform import read_transform, write_transform

MATRIX = about([5.0, -8.0, 30.0], np.array([[0.8, -0.6, 0.0], [0.6, 0.8, 0.0], [0.0, 0.0, 1.0]]), [7.0, -11.0, 19.0])


@pytest.mark.parametrize("suffix", TRANSFORM_SUFFIXES)
def test_a_written_transform_maps_fixed_points_to_moving_points(tmp_path, suffix):
    path = tmp_path / f"out{suffix}"
    write_transform(Transform(MATRIX), path)
    transform = sitk.ReadTransform(str(path))
    for point in np.random.default_rng(0).uniform(-100, 100, (10, 3)):
        assert np.linalg.norm(np.array(transform.TransformPoint(point.tolist())) - apply(MATRIX, point)) < 1e-6  # mm
    assert np.allclose(read_transform(path).matrix, MATRIX)


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
    matrix = read_transform(tmp_path / "in.h5").matrix
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
        ("squeezed.tfm", "more than 1000 times larger or smaller"),
        ("text.tfm", "cannot be read"),
        ("missing.tfm", "does not exist"),
    ]:
        with pytest.raises(InputError, match=reason) as caught:
            read_transform(tmp_path / name)
        assert name in str(caught.value) and "\n" not in str(caught.value)


XFM = "MNI Transform File\nTransform_Type = Linear;\nLinear_Transform =\n1 0 0 1\n0 1 0 2\n0 0 1 3;\n"


@pytest.mark.parametrize(("ending", "words"), [(".TFM", "in capital"), (".H5", "in capital"), (".xfm", "MINC")])
def test_endings_that_itk_does_not_know_or_not_read_right(tmp_path, ending, words):
    path = tmp_path / f"t{ending}"
    if ending == ".xfm":  # which ITK takes for LPS
        path.write_text(XFM)
    else:
        write_transform(Transform.identity(), tmp_path / f"u{ending.lower()}")
        (tmp_path / f"u{ending.lower()}").rename(path)
    with pytest.raises(InputError, match=words) as caught:
        read_transform(path)
    assert str(path) in str(caught.value)
