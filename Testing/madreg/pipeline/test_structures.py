"""The estimated error of structures, from a map of errors that is known."""

from dataclasses import replace

import numpy as np
import pytest

from madreg.image.geometry import Grid
from madreg.image.transform import Transform
from madreg.io.segmentation import Segmentation
from madreg.pipeline import structures
from madreg.pipeline.structures import structure_errors
from madreg.quality.bound import bound_of_region
from madreg.quality.error_map import ErrorMap
from madreg.quality.quality import Quality

CERTAIN = Quality(
    Transform.identity(), motion_mm=1.0, consensus=0.7, margin=0.5, preferred=Transform.identity(), deformation_mm=0.5
)


@pytest.fixture
def errors():
    """Errors that grow along x from 1 mm at x = 0 by 0.1 mm a mm, known for x up to 40 mm."""
    grid = Grid.covering(np.zeros(3), np.full(3, 60.0), 4.0)
    x = grid.points()[..., 0].numpy()
    return ErrorMap(np.where(x <= 40, 1 + 0.1 * x, 0).astype(np.float32), grid, 5.0, np.array([40.0, 0, 0]))


@pytest.fixture
def segmentation():
    """Boxes from x = 10 to 20 mm, from 30 to 50 mm, and from 50 to 58 mm, on a lattice of 2 mm."""
    grid = Grid.covering(np.zeros(3), np.full(3, 60.0), 2.0)
    x, y = grid.points()[..., 0].numpy(), grid.points()[..., 1].numpy()
    labels = np.zeros(grid.shape, np.int64)
    labels[(x >= 10) & (x <= 20) & (y < 30)] = 3
    labels[(x >= 30) & (x <= 50) & (y > 40)] = 1
    labels[(x > 50) & (x < 58)] = 9
    return Segmentation(labels, {1: "partly", 3: "inside", 9: "beyond"}), grid


def test_mean_and_largest(errors, segmentation, monkeypatch):
    labels, grid = segmentation
    partly, inside, beyond = structure_errors(labels, grid, errors, CERTAIN)
    assert (inside.label, inside.name) == (3, "inside") and inside.known == 1
    assert inside.mean_mm == pytest.approx(2.5, abs=0.01) and inside.largest_mm == pytest.approx(3.0, abs=0.01)
    assert inside.voxels == (labels.labels == 3).sum() and inside.volume_ml == pytest.approx(inside.voxels * 0.008)
    assert partly.largest_mm == pytest.approx(5.0, abs=0.01) and 0.4 < partly.known < 0.7
    assert partly.mean_mm == pytest.approx(4.5, abs=0.1)
    assert (beyond.known, beyond.mean_mm, beyond.bound_mm, beyond.largest_mm) == (0, None, None, None)
    assert [one.bound_mm for one in (partly, inside)] == [bound_of_region(one.mean_mm, 0.5) for one in (partly, inside)]
    assert partly.bound_mm > partly.mean_mm
    monkeypatch.setattr(structures, "AT_ONCE", 100)
    assert structure_errors(labels, grid, errors, CERTAIN)[1].mean_mm == pytest.approx(inside.mean_mm)


def test_without_a_map_nothing_is_known(segmentation):
    found = structure_errors(*segmentation, None, None)
    assert [(one.known, one.mean_mm, one.bound_mm) for one in found] == 3 * [(0, None, None)] and all(
        one.voxels for one in found
    )


@pytest.mark.parametrize("change", [{"margin": -0.1}, {"is_mirrored": True}, {"deformation_mm": None}])
def test_without_a_bound_of_the_alignment_no_structure_has_one(errors, segmentation, change):
    found = structure_errors(*segmentation, errors, replace(CERTAIN, **change))
    assert [one.bound_mm for one in found] == 3 * [None] and found[1].mean_mm is not None


def test_the_bound_is_in_the_unit_of_the_images(errors, segmentation):
    """A mouse is assessed as if it were as large as a head."""
    labels, grid = segmentation
    small = ErrorMap(0.25 * errors.values, errors.grid.resized(0.25), 1.25, 0.25 * errors.worst_point)
    found = structure_errors(labels, grid.resized(0.25), small, CERTAIN.resized(0.25))
    wanted = structure_errors(labels, grid, errors, CERTAIN)
    assert found[1].bound_mm == pytest.approx(0.25 * wanted[1].bound_mm)


def test_structures_that_overlap_each_have_their_error(errors, segmentation):
    labels, grid = segmentation
    wanted = structure_errors(labels, grid, errors, CERTAIN)
    found = structure_errors(replace(labels, others=(labels,)), grid, errors, CERTAIN)
    assert found == sorted([*wanted, *wanted], key=lambda one: one.label)
