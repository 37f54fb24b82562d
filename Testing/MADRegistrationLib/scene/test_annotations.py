"""What was drawn on the moving volume moves with it, or is refused as its mask afterwards."""

import numpy as np
import pytest
import slicer
from doubles import makeParameters, run

from MADRegistrationLib.scene import masks
from MADRegistrationLib.scene.annotations import drawnOn
from MADRegistrationLib.scene.transforms import parentToWorld
from MADRegistrationLib.scene.volumes import imageOfVolume


@pytest.fixture
def addLabels(addVolume):
    def add(name="Labels", ijkToRas=None, shape=(9, 10, 11)):
        return addVolume(np.ones(shape, np.uint8), ijkToRas, name, "vtkMRMLLabelMapVolumeNode")

    return add


def addSegmentation(scene, volume=None, name="Segmentation"):
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", name)
    if volume is not None:
        node.SetReferenceImageGeometryParameterFromVolumeNode(volume)
    return node


def addPoints(scene, volume=None, name="Points"):
    node = scene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", name)
    node.AddControlPoint(1.0, 2, 3)
    if volume is not None:
        node.SetNthControlPointAssociatedNodeID(0, volume.GetID())
    return node


def test_links_of_every_kind(scene, volumes, addLabels):
    fixed, moving, _ = volumes
    scene.AddNode(slicer.vtkMRMLSubjectHierarchyNode())
    linked = [addSegmentation(scene, moving), addLabels(), addPoints(scene, moving)]
    below = scene.AddNewNodeByClass("vtkMRMLModelNode", "Tumor")
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    top = hierarchy.CreateItem(hierarchy.GetSceneItemID(), moving)
    hierarchy.CreateItem(top, below)
    addSegmentation(scene, fixed, "Of the fixed volume")
    addSegmentation(scene, None, "Of nobody")
    addPoints(scene, fixed, "Placed on the fixed volume")
    addLabels("Other voxels", np.diag([2.0, 2, 2, 1]))
    scene.AddNewNodeByClass("vtkMRMLModelNode", "Elsewhere")
    moving.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(np.diag([1.0, 1, 3, 1])))
    linked[1].SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(np.diag([1.0, 1, 3, 1])))
    assert set(drawnOn(moving)) == {*linked, below}


def test_what_shares_a_transform_with_the_volume_alone(scene, volumes, addTransform):
    fixed, moving, _ = volumes
    parent = addTransform(np.eye(4), "Patient")
    points = addPoints(scene)
    for node in (moving, points):
        node.SetAndObserveTransformNodeID(parent.GetID())
    assert drawnOn(moving) == [points]
    fixed.SetAndObserveTransformNodeID(parent.GetID())  # then it may belong to either
    assert drawnOn(moving) == []


def test_what_lies_elsewhere_does_not_move_along(scene, volumes, addTransform):
    segmentation = addSegmentation(scene, volumes[1])
    segmentation.SetAndObserveTransformNodeID(addTransform(np.eye(4)).GetID())
    assert drawnOn(volumes[1]) == []


def start(panel, **values):
    parameters = makeParameters(**values)
    panel.setParameters(parameters)
    panel.registerAction.onButton()
    run(panel)
    return parameters


def apart(mask, volume):
    """How far, in mm, two nodes on the same voxels lie from each other."""
    return np.abs(imageOfVolume(mask).matrix - imageOfVolume(volume).matrix).max()


def test_the_mask_is_offered_moves_along_and_comes_back(panel, view, volumes, addLabels, addTransform, scene):
    fixed, moving, _ = volumes
    parent = addTransform(np.eye(4) + np.eye(4, k=3) * 7, "Patient")
    mask, points = addLabels("CT mask"), addPoints(scene, moving)
    for node in (moving, mask, points):
        node.SetAndObserveTransformNodeID(parent.GetID())
    values = {"fixedVolume": fixed, "movingVolume": moving, "movingMask": mask}
    panel.setParameters(makeParameters(**values))
    assert '"CT mask"' in view.shown["Along"] and '"Points"' in view.shown["Along"]
    for _ in range(2):
        start(panel, **values)
        assert apart(mask, moving) < 1e-9 and not view.questions
        np.testing.assert_array_equal(parentToWorld(points), parentToWorld(moving))
        assert panel.controllers.run.queue.registrations[0].state == "done", view.shown["Message"]
    panel.onRevert()
    panel.onRevert()
    assert [node.GetParentTransformNode() for node in (moving, mask, points)] == [parent] * 3


def test_what_lies_under_the_output_is_not_offered_as_it_moves_in_any_case(panel, view, volumes, addLabels):
    parameters = start(panel, fixedVolume=volumes[0], movingVolume=volumes[1], movingMask=addLabels("CT mask"))
    assert view.shown["Along"] == ""
    parameters.outputTransform = None  # the one of this pair is taken
    panel.update()
    assert view.shown["Along"] == ""
    panel.onRevert()
    assert view.shown["Along"] == 'Move "CT mask" along'


def test_it_comes_back_after_saving_and_loading(panel, volumes, addLabels, saveAndLoad):
    start(panel, fixedVolume=volumes[0], movingVolume=volumes[1], movingMask=addLabels("CT mask"))
    panel.onSceneStartClose()
    loaded = saveAndLoad()
    moving, mask = (loaded.GetFirstNodeByName(name) for name in ("CT", "CT mask"))
    assert mask.GetParentTransformNode() is moving.GetParentTransformNode() is not None
    panel.setParameters(makeParameters(fixedVolume=loaded.GetFirstNodeByName("MR"), movingVolume=moving))
    panel.onRevert()
    assert mask.GetParentTransformNode() is moving.GetParentTransformNode() is None


def test_a_label_map_that_stayed_behind_is_refused(panel, view, volumes, addLabels):
    mask = addLabels("CT mask")
    parameters = start(panel, fixedVolume=volumes[0], movingVolume=volumes[1], movingMask=mask, moveAlong=False)
    assert mask.GetParentTransformNode() is None
    assert view.shown["Button"][1] is False
    assert 'The mask "CT mask" no longer lies on "CT"' in view.shown["Button"][2]
    mask.SetAndObserveTransformNodeID(volumes[1].GetTransformNodeID())
    panel.update()
    assert view.shown["Button"][1] is True
    parameters.movingMask = None


def test_a_segmentation_that_stayed_behind_is_refused(panel, view, volumes, scene, addLabels):
    mask = addSegmentation(scene, volumes[1], "Mask")
    slicer.vtkSlicerSegmentationsModuleLogic.ImportLabelmapToSegmentationNode(addLabels("Source"), mask)
    start(panel, fixedVolume=volumes[0], movingVolume=volumes[1], movingMask=mask, moveAlong=False)
    assert view.shown["Button"][1] is False and "no longer lies on" in view.shown["Button"][2]
    # one that was drawn since then lies where it should
    other = addSegmentation(scene, volumes[1], "Drawn later")
    assert masks.whyNotOn(other, volumes[1]) is None


@pytest.mark.parametrize("role", ["fixedMask", "movingMask"])
def test_a_mask_beside_its_volume_is_refused(panel, view, volumes, addLabels, role):
    away = np.eye(4)
    away[0, 3] = 8.0  # of 11 mm
    start(panel, fixedVolume=volumes[0], movingVolume=volumes[1], **{role: addLabels("Away", away)})
    assert view.shown["Message"][1] and 'The mask "Away" does not lie on' in view.shown["Message"][0]
    assert volumes[1].GetParentTransformNode() is None
