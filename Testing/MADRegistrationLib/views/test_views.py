"""What the slice views show, and that Revert brings back all that they showed."""

import numpy as np
import pytest
import slicer
from doubles import finish, makeParameters, run

from MADRegistrationLib.scene.matrices import toArray, toMatrix
from MADRegistrationLib.scene.volumes import imageOfVolume
from MADRegistrationLib.selection.parameters import Measure
from MADRegistrationLib.views import colors, edges, fieldofview, overlay

ONLY_3D, FOUR_UP = (
    slicer.vtkMRMLLayoutNode.SlicerLayoutOneUp3DView,
    slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView,
)
AWAY = np.eye(4) + np.eye(4, k=3) * 60


@pytest.fixture
def sliceNodes(panel, scene):
    nodes = []
    for name, orientation in (("Red", "Axial"), ("Green", "Coronal")):
        node = slicer.vtkMRMLSliceNode()
        node.SetLayoutName(name)
        scene.AddNode(node)
        node.SetOrientation(orientation)
        node.SetMappedInLayout(1)
        node.SetDimensions(200, 100, 1)
        nodes.append(node)
    return nodes


@pytest.fixture
def layout(scene):
    node = slicer.vtkMRMLLayoutNode()
    scene.AddNode(node)
    node.SetViewArrangement(FOUR_UP)
    return node


@pytest.fixture
def register(panel, volumes):
    """Function that registers the first two volumes, and waits also for what nobody waits for."""
    for volume in volumes:
        volume.CreateDefaultDisplayNodes()

    def begin(**values):
        parameters = makeParameters(fixedVolume=volumes[0], movingVolume=volumes[1], measure=Measure.NMI, **values)
        panel.setParameters(parameters)
        panel.registerAction.onButton()
        run(panel)
        finish(panel)
        return parameters

    return begin


def state(scene):
    """All that views and scene show."""
    composites = [
        (
            node.GetBackgroundVolumeID(),
            node.GetForegroundVolumeID(),
            node.GetLabelVolumeID(),
            node.GetForegroundOpacity(),
        )
        for node in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")
    ]
    places = [
        (toArray(node.GetSliceToRAS()).tolist(), node.GetFieldOfView())
        for node in slicer.util.getNodesByClass("vtkMRMLSliceNode")
    ]
    volumes = sorted(node.GetName() for node in slicer.util.getNodesByClass("vtkMRMLVolumeNode"))
    others = [
        scene.GetNumberOfNodesByClass(f"vtkMRML{kind}Node")
        for kind in ("Transform", "PlotChart", "PlotSeries", "Table", "ScalarVolumeDisplay")
    ]
    colors = [node.GetDisplayNode().GetColorNodeID() for node in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")]
    crosshair = scene.GetFirstNodeByClass("vtkMRMLCrosshairNode")
    arrangement = scene.GetFirstNodeByClass("vtkMRMLLayoutNode").GetViewArrangement()
    return composites, places, volumes, others, colors, crosshair.GetCrosshairMode(), arrangement


def test_revert_brings_everything_back(panel, view, volumes, scene, sliceNodes, layout, register):
    scene.AddNode(slicer.vtkMRMLCrosshairNode())
    sliceNodes[0].JumpSliceByCentering(3, 4, 5)
    before = state(scene)
    register()
    panel.controllers.pictures.onPlot()
    panel.controllers.pictures.onCheckerboard(True)
    run(panel)
    panel.controllers.inspection.errors.onErrorMap(True)
    panel.controllers.inspection.errors.onWorst()
    layout.SetViewArrangement(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpPlotView)
    assert state(scene) != before
    panel.onRevert()
    assert state(scene) == before
    assert view.shown["Message"] == ("Everything is as it was before the registration.", False)


def test_cancel_brings_the_views_back(panel, volumes, scene, sliceNodes, layout):
    scene.AddNode(slicer.vtkMRMLCrosshairNode())
    for volume in volumes:
        volume.CreateDefaultDisplayNodes()
    layout.SetViewArrangement(ONLY_3D)
    for node in sliceNodes:
        node.SetMappedInLayout(0)
    before = state(scene)
    panel.setParameters(makeParameters(fixedVolume=volumes[0], movingVolume=volumes[1]))
    panel.registerAction.onButton()
    panel.registerAction.onButton()
    assert state(scene) == before


def test_the_flicker_stops_before_the_views_are_remembered(panel, view, volumes, register):
    panel.setParameters(makeParameters(fixedVolume=volumes[0], movingVolume=volumes[1]))
    panel.controllers.inspection.blending.onOpacity(0.5)
    panel.controllers.inspection.blending.onFlickerToggled(True)
    panel.controllers.inspection.blending.onFlick()
    register()
    assert view.shown["Flicker"] is False
    panel.onRevert()
    opacities = {node.GetForegroundOpacity() for node in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")}
    assert opacities == {0.5} and view.shown["Opacity"] == 0.5


def test_a_layout_without_slices_is_changed_and_that_is_said(panel, view, volumes, sliceNodes, layout):
    layout.SetViewArrangement(ONLY_3D)
    for node in sliceNodes:
        node.SetMappedInLayout(0)
    panel.setParameters(makeParameters(fixedVolume=volumes[0], movingVolume=volumes[1]))
    panel.registerAction.onButton()
    assert layout.GetViewArrangement() == FOUR_UP and "layout was changed" in view.shown["Message"][0]
    panel.registerAction.onButton()
    assert layout.GetViewArrangement() == ONLY_3D


def test_pictures_keep_the_place_of_the_largest_error(panel, sliceNodes, register):
    register()
    panel.controllers.inspection.errors.onErrorMap(True)
    panel.controllers.inspection.errors.onWorst()
    places = [toArray(node.GetSliceToRAS()).tolist() for node in sliceNodes]
    assert {tuple(row[3] for row in place[:3]) for place in places} == {(8.0, 6.0, 4.0)}
    for toggle in (panel.controllers.pictures.onCheckerboard, panel.controllers.pictures.onEdges):
        for isOn in (True, False):
            toggle(isOn)
            run(panel)
            finish(panel)
            assert [toArray(node.GetSliceToRAS()).tolist() for node in sliceNodes] == places


def test_the_largest_error_is_at_the_crosshair(panel, scene, register, sliceNodes):
    crosshair = scene.AddNode(slicer.vtkMRMLCrosshairNode())
    register()
    panel.controllers.inspection.errors.onWorst()
    assert crosshair.GetCrosshairMode() == slicer.vtkMRMLCrosshairNode.ShowBasic
    np.testing.assert_allclose(crosshair.GetCrosshairRAS(), [8, 6, 4], atol=1e-5)


def test_after_a_far_start_the_views_are_on_the_common_anatomy(panel, volumes, scene, sliceNodes, register):
    register()
    # the fake moves by 37 mm; its error map is not 0 from the second slice on
    map_ = scene.GetFirstNodeByName("CT to MR error (MAD)")
    low, high = fieldofview.boxOfMap(map_)
    for node in sliceNodes:
        np.testing.assert_allclose(toArray(node.GetSliceToRAS())[:3, 3], (low + high) / 2, atol=1e-6)
        width, height = node.GetFieldOfView()[:2]
        assert width / height == pytest.approx(2)  # as the view
        assert height < 2 * (high - low).max()


def test_views_on_what_two_volumes_share(volumes, addTransform):
    fixed, moving, _ = volumes  # 11 x 10 x 9 mm from 0
    moving.SetAndObserveTransformNodeID(addTransform(np.eye(4) + np.eye(4, k=3) * 4).GetID())
    low, high = fieldofview.commonBox(fixed, moving)
    np.testing.assert_allclose([low, high], [[4, 0, 0], [10, 9, 8]])
    moving.GetParentTransformNode().SetMatrixTransformToParent(toMatrix(AWAY))
    np.testing.assert_allclose(fieldofview.commonBox(fixed, moving)[0], [0, 0, 0])


def test_the_moving_volume_is_orange_until_the_toggle(panel, view, volumes, register):
    before = volumes[1].GetDisplayNode().GetColorNodeID()
    register()
    assert colors.isShown(volumes[1]) and not colors.isShown(volumes[0]) and view.shown["Pictures"][0] is True
    panel.controllers.inspection.onColors(False)
    assert volumes[1].GetDisplayNode().GetColorNodeID() == before and view.shown["Pictures"][0] is False
    panel.controllers.inspection.onColors(True)
    other = makeParameters(fixedVolume=volumes[0], movingVolume=volumes[2])
    panel.setParameters(other)  # another pair: its colours come back
    assert volumes[1].GetDisplayNode().GetColorNodeID() == before


def test_an_orange_volume_is_seen_wherever_the_scene_is_loaded(volumes, scene, tmp_path):
    """Also where nothing of this module is: a volume without its colors is not drawn at all."""
    volumes[1].CreateDefaultDisplayNodes()
    colors.show(volumes[1])

    def bundled(scene):
        cache, files = slicer.vtkCacheManager(), slicer.vtkDataIOManager()
        cache.SetRemoteCacheDirectory(str(tmp_path))
        files.SetCacheManager(cache)
        scene.SetCacheManager(cache)
        scene.SetDataIOManager(files)
        return cache, files

    kept = [bundled(scene)]
    assert scene.WriteToMRB(str(tmp_path / "scene.mrb"), None)
    loaded = slicer.vtkMRMLScene()
    kept.append(bundled(loaded))
    assert loaded.ReadFromMRB(str(tmp_path / "scene.mrb"), True)
    node, color = loaded.GetFirstNodeByName("CT").GetDisplayNode().GetColorNode(), [0.0] * 4
    assert node is not None and node.GetColor(255, color)
    np.testing.assert_allclose(color[:3], colors.ORANGE, atol=0.01)


def test_colors_that_were_saved_without_their_file_are_made_again(volumes):
    volumes[1].CreateDefaultDisplayNodes()
    colors.show(volumes[1])
    table = volumes[1].GetDisplayNode().GetColorNode()
    table.SetNumberOfColors(1)
    assert colors.isShown(volumes[1]) and table.GetNumberOfColors() == 256


def test_a_volume_is_seen_again_whose_colors_were_not_saved(volumes, scene):
    """As by former versions of this module."""
    volumes[1].CreateDefaultDisplayNodes()
    colors.show(volumes[1])
    display = volumes[1].GetDisplayNode()
    scene.RemoveNode(display.GetColorNode())
    display.SetAndObserveColorNodeID("vtkMRMLColorTableNodeMADOrange")
    changed = []
    display.AddObserver("ModifiedEvent", lambda caller, event: changed.append(display.GetColorNode() is not None))
    assert colors.isShown(volumes[1]) and changed[-1:] == [True]


def test_a_volume_without_a_color_table_is_orange_until_the_toggle(volumes):
    volumes[1].CreateDefaultDisplayNodes()
    display = volumes[1].GetDisplayNode()
    display.SetAndObserveColorNodeID("")
    colors.show(volumes[1])
    assert colors.isShown(volumes[1])
    colors.hide(volumes[1])
    assert not colors.isShown(volumes[1]) and display.GetColorNode() is None


def test_edges_lie_on_the_moving_volume_and_move_with_it(panel, view, volumes, scene, register):
    register()
    node = edges.find(volumes[1])
    assert node.GetName() == "CT edges (MAD)" and overlay.isShown(node) and view.shown["Pictures"][1] is True
    np.testing.assert_allclose(imageOfVolume(node).matrix, imageOfVolume(volumes[1]).matrix, atol=1e-9)
    panel.controllers.pictures.onEdges(False)
    assert not overlay.isShown(node) and view.shown["Pictures"][1] is False
    panel.setParameters(makeParameters(fixedVolume=volumes[0], movingVolume=volumes[1]))
    panel.registerAction.onButton()  # again: the same ones
    run(panel)
    assert edges.find(volumes[1]) is node and not panel.controllers.run.needsPolling
    assert view.questions == []
    volumes[1].SetAndObserveTransformNodeID(None)
    panel.update()
    assert node.GetTransformNodeID() is None


def test_the_scale_of_the_error_map(panel, scene, register):
    register()
    panel.controllers.inspection.errors.onErrorMap(True)
    display = scene.GetFirstNodeByName("CT to MR error (MAD)").GetDisplayNode()
    assert (display.GetWindowLevelMin(), display.GetWindowLevelMax()) == (0, 5)
    panel.controllers.inspection.errors.onErrorScale(12.0)
    assert display.GetWindowLevelMax() == 12


def test_error_map_and_edges_take_turns_and_the_users_labels_come_back(panel, scene, volumes, register, addVolume):
    labels = addVolume(np.zeros((4, 4, 4), np.uint8), np.diag([3.0, 3, 3, 1]), "Mine", "vtkMRMLLabelMapVolumeNode")
    composites = list(slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode"))
    for node in composites:
        node.SetLabelVolumeID(labels.GetID())
        node.SetLabelOpacity(0.7)
    register()
    panel.controllers.inspection.errors.onErrorMap(True)
    panel.controllers.pictures.onEdges(True)
    assert {node.GetLabelVolumeID() for node in composites} == {edges.find(volumes[1]).GetID()}
    panel.controllers.pictures.onEdges(False)
    assert {node.GetLabelVolumeID() for node in composites} == {labels.GetID()}
    assert {node.GetLabelOpacity() for node in composites} == {0.7}


@pytest.mark.parametrize("asked", ["map", "nothing", "revert"])
def test_edges_that_are_still_made_do_not_replace_what_is_asked_for_meanwhile(panel, volumes, register, asked):
    register()
    slicer.mrmlScene.RemoveNode(edges.find(volumes[1]))
    panel.controllers.inspection.errors.onErrorMap(True)
    panel.controllers.pictures.onEdges(True)
    assert not panel.controllers.inspection.errors.isShown and panel.controllers.run.needsPolling
    if asked == "map":
        panel.controllers.inspection.errors.onErrorMap(True)
    elif asked == "revert":
        panel.onRevert()
    else:
        panel.controllers.pictures.onEdges(False)
    finish(panel)
    assert panel.controllers.inspection.errors.isShown is (asked == "map")
    made = edges.find(volumes[1])
    assert made is None or not overlay.isShown(made)


def test_what_the_module_made_is_not_offered(panel, view, volumes, scene, register):
    register()
    panel.controllers.pictures.onCheckerboard(True)
    run(panel)
    hidden, fixed = view.shown["HiddenVolumes"]
    names = {scene.GetNodeByID(one).GetName() for one in hidden}
    assert names == {"CT to MR error (MAD)", "CT edges (MAD)", "Checkerboard of CT and MR"}
    assert fixed == volumes[0].GetID()


def test_a_row_of_the_table_shows_its_pair(panel, view, volumes, register):
    parameters = makeParameters(fixedVolume=volumes[0])
    panel.setParameters(parameters)
    panel.controllers.batch.volumes = volumes[1:]
    panel.registerAction.onBatchButton()
    run(panel)
    for row, volume in enumerate(volumes[1:]):
        panel.choosePairAction.onRow(row)
        finish(panel)
        assert parameters.movingVolume is volume and view.shown["Result"][0]
        (shown,) = {node.GetForegroundVolumeID() for node in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")}
        assert shown == volume.GetID()
    panel.choosePairAction.onRow(7)
