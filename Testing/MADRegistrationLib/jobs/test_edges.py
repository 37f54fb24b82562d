"""Finding the edges of a volume: the voxels that they are found on."""

import numpy as np
import pytest
import slicer
from doubles import TURN, finish, makeParameters

from MADRegistrationLib.jobs import edges
from MADRegistrationLib.scene.volumes import imageOfVolume
from MADRegistrationLib.views.edges import find


@pytest.mark.parametrize(
    ("size", "spacing", "parts"),
    [
        ((100, 100, 31), (2.24, 2.24, 4.13), (2, 2, 4)),  # the bundled EPI
        ((256, 256, 180), (1.0, 1.0, 1.0), (1, 1, 1)),
        ((200, 200, 100), (2.0, 2.0, 4.0), (1, 1, 2)),  # else too many
    ],
)
def test_coarse_voxels_are_divided_so_that_edges_are_lines(size, spacing, parts):
    assert tuple(edges.partsOf(np.array(size), np.array(spacing))) == parts


def test_edges_of_coarse_voxels_lie_where_the_volume_lies(panel, volumes):
    voxels = volumes[1]
    voxels.SetSpacing(3.0, 3.0, 6.0)
    panel.setParameters(makeParameters(fixedVolume=volumes[0], movingVolume=voxels))
    panel.controllers.pictures.onEdges(True)
    finish(panel)
    node = find(voxels)
    inner = np.linalg.solve(imageOfVolume(voxels).matrix, imageOfVolume(node).matrix)
    np.testing.assert_allclose(inner, np.diag([1 / 3, 1 / 3, 1 / 6, 1]), atol=1e-9)
    shape = np.array(slicer.util.arrayFromVolume(voxels).shape)
    assert slicer.util.arrayFromVolume(node).shape == tuple((shape - 1) * (6, 3, 3) + 1)


def test_edges_are_of_the_voxels_that_the_volume_has(panel, view, volumes, addTransform):
    """They were of another frame of a sequence, or lay where the volume lay before it was hardened."""
    moving = volumes[1]
    panel.setParameters(makeParameters(fixedVolume=volumes[0], movingVolume=moving))
    panel.controllers.pictures.onEdges(True)
    finish(panel)
    node, composites = find(moving), slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")
    first = slicer.util.arrayFromVolume(node).copy()
    moving.SetAndObserveTransformNodeID(addTransform(TURN).GetID())
    assert {one.GetLabelVolumeID() for one in composites} == {node.GetID()}  # they move with it

    def invert():
        voxels = slicer.util.arrayFromVolume(moving)
        voxels[:] = 8 - voxels

    for change in (invert, moving.HardenTransform):
        change()
        slicer.util.arrayFromVolumeModified(moving)
        assert {one.GetLabelVolumeID() for one in composites} == {None} and view.shown["Pictures"][1] is False
        panel.controllers.pictures.onEdges(True)
        finish(panel)
        assert find(moving) is node and view.shown["Pictures"][1] is True
        np.testing.assert_allclose(imageOfVolume(node).matrix, imageOfVolume(moving).matrix, atol=1e-6)
        assert not np.array_equal(slicer.util.arrayFromVolume(node), first)


def test_of_a_large_volume_not_every_voxel_is_looked_at(panel, volumes, monkeypatch):
    monkeypatch.setattr(edges, "MOST_VOXELS", 200)
    panel.setParameters(makeParameters(fixedVolume=volumes[0], movingVolume=volumes[1]))
    panel.controllers.pictures.onEdges(True)
    finish(panel)
    node = find(volumes[1])
    assert slicer.util.arrayFromVolume(node).shape == (5, 5, 6) or slicer.util.arrayFromVolume(node).size < 300
    step = np.linalg.norm(imageOfVolume(node).matrix[:3, 0])
    assert step == pytest.approx(2)
