"""Slabs in the contrasts of a pelvis are cut out of label maps."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk

from madreg.errors import InputError
from madreg.image.pair import Pair
from madreg.io.reading import read_volume
from madreg.measures import distance
from madreg_benchmark.cases import slabs
from madreg_benchmark.cases.case import load_cases
from madreg_benchmark.cases.slabs import assemble_slabs
from translation import translation_matrix


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Label maps of blocks of six tissues, of coarse voxels, one for each of the first two cases."""
    rng = np.random.default_rng(3)
    data = tmp_path_factory.mktemp("data")
    folder = data / "train" / "synthseg_labels_1.5mm"
    folder.mkdir(parents=True)
    for number in (1, 2):
        blocks = rng.choice([2, 3, 4, 507, 511, 515], (9, 9, 9)).repeat(6, 0).repeat(6, 1).repeat(6, 2)
        image = sitk.GetImageFromArray(np.pad(blocks, 3).astype(np.int16))
        image.SetSpacing((3.0, 3.0, 3.0))
        sitk.WriteImage(image, str(folder / f"training_seg_{number:02d}.nii.gz"))
    return data


@pytest.fixture(scope="module")
def made(data, tmp_path_factory):
    """The first two cases, as files."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(slabs, "COUNT", 2)
        return assemble_slabs(data, tmp_path_factory.mktemp("cases"))


def test_both_series_show_the_same_tissue_in_one_place(made):
    assert [case.contrast.split("-")[1] for case in made] == ["DWI", "ADC"]
    assert [case.name for case in load_cases(made[0].fixed.parent)] == [case.name for case in made]
    for case in made:
        fixed, moving = (read_volume(path)[0] for path in (case.fixed, case.moving))
        assert 50 < fixed.thickness < 80 and moving.grid.spacing.max() > 3.5
        assert Pair(fixed, moving).greater_overlap(case.truth) > 0.2
        off = case.truth @ translation_matrix(8.0, 8.0, 8.0)
        assert distance("ngf", fixed, moving, case.truth) < distance("ngf", fixed, moving, off)


def test_the_same_slabs_are_made_again(data, made, tmp_path, monkeypatch):
    monkeypatch.setattr(slabs, "COUNT", 1)
    again = assemble_slabs(data, tmp_path)[0]
    one, other = (sitk.GetArrayFromImage(sitk.ReadImage(str(case.moving))) for case in (made[0], again))
    np.testing.assert_array_equal(one, other)


def test_what_is_missing_is_named(tmp_path):
    with pytest.raises(InputError, match="training_seg_01"):
        assemble_slabs(tmp_path, tmp_path / "out")
