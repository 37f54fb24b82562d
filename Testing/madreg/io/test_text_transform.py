"""Which files of ITK's transforms are read without another process."""

import numpy as np
import pytest
import SimpleITK as sitk

from madreg.io import itk_transform
from madreg.io.text_transform import is_text_transform

KINDS = (
    sitk.AffineTransform(3),
    sitk.Euler3DTransform(),
    sitk.VersorRigid3DTransform(),
    sitk.Similarity3DTransform(),
)


@pytest.mark.parametrize("transform", KINDS, ids=lambda one: one.GetName())
def test_text_of_one_linear_transform_is_read_here(tmp_path, monkeypatch, transform):
    parameters = list(transform.GetParameters())
    parameters[-3:-1] = [0.25, -1e-3]
    transform.SetParameters(parameters)
    path = tmp_path / "a.tfm"
    sitk.WriteTransform(transform, str(path))
    monkeypatch.setattr(itk_transform, "check_transform", lambda *_: pytest.fail("another process was asked"))
    assert is_text_transform(path)
    assert itk_transform.read_transform(path).type in ("rigid", "affine")
    assert np.allclose(sitk.ReadTransform(str(path)).GetParameters(), parameters)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("AffineTransform", "BSplineTransform"),
        ("double_3_3", "double_2_2"),
        ("Parameters: 1", "Parameters: nan"),
        ("Parameters: 1", "Parameters: 1 1"),
        ("Parameters: 1", "Parameters: 1e999"),
        ("FixedParameters: 0 0 0", "FixedParameters: 0 0"),
        ("FixedParameters: 0 0 0\n", ""),
        ("Transform: ", "Transform: AffineTransform_double_3_3\nTransform: "),
        ("Parameters: 1", "Parameters: \0"),
        ("Parameters: 1", "Parameters: \u00e9"),
        ("FixedParameters: 0 0 0", "FixedParameters: 0 0 0" + 20_000 * " "),
    ],
)
def test_anything_else_is_not(tmp_path, old, new):
    path = tmp_path / "a.tfm"
    sitk.WriteTransform(sitk.AffineTransform(3), str(path))
    text = path.read_text()
    assert is_text_transform(path) and old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    assert not is_text_transform(path)


@pytest.mark.parametrize("suffix", [".h5", ".mat"])
def test_binary_files_are_not(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    sitk.WriteTransform(sitk.AffineTransform(3), str(path))
    assert not is_text_transform(path)
