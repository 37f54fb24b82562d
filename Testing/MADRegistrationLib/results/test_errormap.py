import numpy as np
import pytest
import SimpleITK as sitk
import slicer
from doubles import OBLIQUE

from madreg.image.geometry import FLIP_LPS_RAS, Grid, about, apply
from MADRegistrationLib.results import errormap
from MADRegistrationLib.results.errormap import ErrorMap
from MADRegistrationLib.results.placement import Placement
from MADRegistrationLib.scene import volumes
from MADRegistrationLib.views import errormapdisplay, overlay

TURN = about(np.array([3.0, -8, 20]), np.array([[0.0, -1, 0], [0.6, 0, -0.8], [0.8, 0, 0.6]]), np.array([5.0, 40, -9]))


@pytest.fixture
def views(scene):
    """A label map in the label layer of two slice views, at an opacity of 0.8."""
    labels = scene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "Labels")
    nodes = []
    for name in ("Red", "Green"):
        node = slicer.vtkMRMLSliceCompositeNode()
        node.SetLayoutName(name)
        nodes.append(scene.AddNode(node))
        nodes[-1].SetLabelVolumeID(labels.GetID())
        nodes[-1].SetLabelOpacity(0.8)
    return nodes


@pytest.fixture
def registered(scene, addVolume, addTransform):
    """Fixed volume under two parents, moving volume under a result."""
    fixed = addVolume(np.zeros((8, 9, 10), np.int16), OBLIQUE, "MR")
    moving = addVolume(np.zeros((8, 9, 10), np.int16), OBLIQUE, "CT")
    fixed.SetAndObserveTransformNodeID(addTransform(TURN, parent=addTransform(TURN)).GetID())
    placement = Placement(fixed, moving)
    placement.show(np.eye(4) + np.eye(4, k=3) * 5)
    placement.sign({})
    return fixed, moving, placement.transform


@pytest.fixture
def write(tmp_path):
    """Function that writes a map over a volume: a ramp from 0 to 4 along an axis of the world, and one voxel of 9.5."""

    def to(fixed, name="map.nrrd"):
        world = volumes.imageOfVolume(fixed).matrix
        low, high = apply(world, np.array([[0, 0, 0], [9, 8, 7]]))
        grid = Grid.covering(np.minimum(low, high), np.maximum(low, high), np.abs(high - low).max() / 3)
        voxels = np.broadcast_to(np.linspace(0, 4, grid.size[0], dtype=np.float32), grid.shape).copy()
        index = tuple(np.array(grid.size) // 2)
        voxels[index[::-1]] = 9.5
        sitk.WriteImage(grid.as_image(voxels), str(tmp_path / name))
        return tmp_path / name, apply(grid.matrix, np.array(index)), voxels

    return to


def test_the_map_lies_where_the_fixed_volume_lies_and_moves_with_it(registered, write, addTransform):
    fixed, moving, transform = registered
    path, worst, _voxels = write(fixed)
    ErrorMap(path, {}).put(fixed, moving, transform)  # the report says nothing of a worst point: the largest value
    node = errormap.find(fixed, moving)
    assert node.GetName() == "CT to MR error (MAD)" and node.GetParentTransformNode() is fixed.GetParentTransformNode()
    image = volumes.imageOfVolume(node)
    index = np.unravel_index(image.array.argmax(), image.array.shape)[::-1]
    assert image.array.max() == np.float32(9.5)
    np.testing.assert_allclose(apply(image.matrix, np.array(index)), worst, atol=1e-3)
    millimetres, point = errormap.worst(node)
    assert millimetres == 9.5
    np.testing.assert_allclose(apply(FLIP_LPS_RAS, point), worst, atol=1e-3)
    # the user moves the fixed volume: map and worst point go with it
    motion = about(np.zeros(3), TURN[:3, :3], np.array([1.0, 2, 30]))
    top = fixed.GetParentTransformNode().GetParentTransformNode()
    top.SetAndObserveTransformNodeID(addTransform(motion).GetID())
    np.testing.assert_allclose(errormap.worst(node)[1], apply(motion @ FLIP_LPS_RAS, worst), atol=1e-3)


def test_the_report_decides_on_the_worst_point(registered, write):
    fixed, moving, transform = registered
    path, _, _ = write(fixed)
    said = [11.0, -22.0, 33.0]
    ErrorMap(path, {"worst_mm": 12.25, "worst_point_lps": said}).put(fixed, moving, transform)
    millimetres, point = errormap.worst(errormap.find(fixed, moving))
    assert millimetres == 12.25
    np.testing.assert_allclose(point, [-11, 22, 33], atol=1e-5)


def test_the_map_ends_without_a_rim_of_smaller_errors(registered, write):
    """Between its last voxel and the next, where the display interpolates, nearly nothing is shown."""
    fixed, moving, transform = registered
    path, _worst, voxels = write(fixed)
    ErrorMap(path, {}).put(fixed, moving, transform)
    node = errormap.find(fixed, moving)
    known = voxels[0, 0, -1]
    assert voxels[0, 0, 0] == 0 and known == 4
    shown = slicer.util.arrayFromVolume(node)
    np.testing.assert_array_equal(shown[voxels > 0], voxels[voxels > 0])
    between = np.linspace(known, shown[0, 0, 0], 1001)
    seen = between[between >= node.GetDisplayNode().GetLowerThreshold()]
    assert len(seen) < 0.05 * len(between)


def test_it_is_shown_over_both_volumes_and_the_labels_come_back(registered, write, views):
    fixed, moving, transform = registered
    ErrorMap(write(fixed)[0], {}).put(fixed, moving, transform)
    node, labels = errormap.find(fixed, moving), views[0].GetLabelVolumeID()
    assert not overlay.isShown(node)
    for _ in range(2):
        errormapdisplay.show(node)
    assert overlay.isShown(node) and {view.GetLabelVolumeID() for view in views} == {node.GetID()}
    assert views[0].GetLabelOpacity() == errormapdisplay.OPACITY
    legend = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLColorLegendDisplayNode")
    assert "(mm)" in legend.GetTitleText() and legend.GetPrimaryDisplayNode() is node.GetDisplayNode()
    display = node.GetDisplayNode()
    assert (display.GetWindowLevelMin(), display.GetWindowLevelMax()) == (0, errormapdisplay.FULL_MM)
    assert display.GetApplyThreshold() and 0 < display.GetLowerThreshold() < 0.1  # 0 is clear
    assert legend.GetVisibility()
    views[1].SetLabelVolumeID(None)  # the user takes it out of one view by hand: that stays as it is
    errormapdisplay.hide(node)
    assert [view.GetLabelVolumeID() for view in views] == [labels, None] and not legend.GetVisibility()
    assert views[0].GetLabelOpacity() == 0.8


def test_the_legend_is_shown_once_the_views_show_the_map(registered, write, views):
    """Slicer's legend looks at the views when it is modified, and only then."""
    fixed, moving, transform = registered
    ErrorMap(write(fixed)[0], {}).put(fixed, moving, transform)
    node, shown = errormap.find(fixed, moving), []
    errormapdisplay.show(node)
    errormapdisplay.hide(node)
    legend = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLColorLegendDisplayNode")
    legend.AddObserver("ModifiedEvent", lambda *_: shown.append(overlay.isShown(node)))
    errormapdisplay.show(node)
    assert shown and shown[-1]


def test_showing_another_map_keeps_the_labels(registered, write, views, addVolume):
    fixed, moving, transform = registered
    other = addVolume(np.zeros((8, 9, 10), np.int16), OBLIQUE, "PET")
    placement = Placement(fixed, other)
    placement.show(np.eye(4))
    placement.sign({})
    ErrorMap(write(fixed)[0], {}).put(fixed, moving, transform)
    ErrorMap(write(fixed)[0], {}).put(fixed, other, placement.transform)
    labels = views[0].GetLabelVolumeID()
    errormapdisplay.show(errormap.find(fixed, moving))
    errormapdisplay.show(errormap.find(fixed, other))
    assert views[0].GetLabelVolumeID() == errormap.find(fixed, other).GetID()
    errormapdisplay.hideAll()
    assert views[0].GetLabelVolumeID() == labels and views[0].GetLabelOpacity() == 0.8


def test_remove_leaves_nothing(registered, write, views, scene):
    fixed, moving, transform = registered
    nodes = scene.GetNumberOfNodes()
    one = ErrorMap(write(fixed)[0], {})
    one.put(fixed, moving, transform)
    errormapdisplay.show(errormap.find(fixed, moving))
    one.remove()
    assert scene.GetNumberOfNodes() == nodes and errormap.find(fixed, moving) is None


def test_the_map_of_an_earlier_result_is_overwritten_and_comes_back(registered, write):
    fixed, moving, transform = registered
    ErrorMap(write(fixed)[0], {"worst_mm": 3.0, "worst_point_lps": [1, 2, 3]}).put(fixed, moving, transform)
    node = errormap.find(fixed, moving)
    before = slicer.util.arrayFromVolume(node).copy()
    path, _, _voxels = write(fixed)
    sitk.WriteImage(sitk.ReadImage(str(path)) * 0 + 7, str(path))
    again = ErrorMap(path, {})
    again.put(fixed, moving, transform)
    assert errormap.find(fixed, moving) is node and (slicer.util.arrayFromVolume(node) == 7).all()
    assert errormap.worst(node)[0] == 7
    again.remove()
    np.testing.assert_array_equal(slicer.util.arrayFromVolume(node), before)
    assert errormap.worst(node)[0] == 3.0


def test_the_name_follows_the_pair(registered, write, addVolume):
    fixed, moving, transform = registered
    ErrorMap(write(fixed)[0], {}).put(fixed, moving, transform)
    node = errormap.find(fixed, moving)
    moving.SetAndObserveTransformNodeID(None)  # else the transform would move both
    other = addVolume(np.zeros((8, 9, 10), np.int16), OBLIQUE, "PET")
    placement = Placement(fixed, other, transform)
    placement.show(np.eye(4))
    placement.sign({})
    again = ErrorMap(write(fixed)[0], {})
    again.put(fixed, other, transform)
    assert errormap.find(fixed, other) is node and node.GetName() == "PET to MR error (MAD)"
    again.remove()
    assert node.GetName() == "CT to MR error (MAD)"


def test_a_volume_that_was_moved_elsewhere_has_no_map(registered, write):
    fixed, moving, transform = registered
    ErrorMap(write(fixed)[0], {}).put(fixed, moving, transform)
    assert errormap.find(moving, fixed) is None and errormap.find(fixed, None) is None
    moving.SetAndObserveTransformNodeID(None)
    assert errormap.find(fixed, moving) is None


def test_a_damaged_file_is_an_error(tmp_path):
    (tmp_path / "map.nrrd").write_text("nothing")
    with pytest.raises(OSError, match=r"map\.nrrd cannot be read"):
        ErrorMap(tmp_path / "map.nrrd", {})
