"""Assess: verdict, number and error map of the pose that two volumes have, and nothing else changes in the scene."""

import numpy as np
import pytest
import slicer
import vtk
from doubles import BUG, FAILED, SLOW, WAITING, makeParameters, run

from madreg.image.geometry import FLIP_LPS_RAS, about, apply
from MADRegistrationLib.results import errormap
from MADRegistrationLib.scene.matrices import toMatrix
from MADRegistrationLib.scene.transforms import parentToWorld
from MADRegistrationLib.scene.volumes import imageOfVolume
from MADRegistrationLib.views import overlay

TURN = about(np.array([3.0, -8, 20]), np.array([[0.0, -1, 0], [0.6, 0, -0.8], [0.8, 0, 0.6]]), np.array([5.0, 40, -9]))
SHIFTED = np.eye(4) + np.eye(4, k=3) * 7


@pytest.fixture
def parameters(panel, volumes, addTransform):
    """MR under a rotated transform, CT under two, one of which stretches."""
    volumes[0].SetAndObserveTransformNodeID(addTransform(TURN, "Room").GetID())
    stretched = addTransform(np.diag([1.1, 1, 1, 1]), "By hand", parent=addTransform(TURN))
    volumes[1].SetAndObserveTransformNodeID(stretched.GetID())
    parameters = makeParameters(fixedVolume=volumes[0], movingVolume=volumes[1])
    panel.setParameters(parameters)
    return parameters


def transforms():
    """All of every transform: where it is and what it holds."""
    return [
        (
            node.GetID(),
            node.GetName(),
            node.GetTransformNodeID(),
            parentToWorld(node).tolist(),
            node.GetAttributeNames(),
        )
        for node in slicer.util.getNodesByClass("vtkMRMLTransformNode")
    ]


def assess(panel):
    panel.assessAction.onButton()
    run(panel)


def test_verdict_number_and_map_and_no_transform_is_touched(panel, view, volumes, parameters, resume):
    before = transforms(), [imageOfVolume(node).matrix.tolist() for node in volumes]
    nodes = slicer.mrmlScene.GetNumberOfNodes()
    assert view.shown["AssessEnabled"] is True
    parameters.seed = WAITING
    panel.assessAction.onButton()
    assert view.shown["Button"][:2] == ("Cancel", True) and view.shown["AssessEnabled"] is False
    assert view.shown["Busy"] is True
    run(panel, until=lambda: "Estimating" in view.shown["Progress"][0])
    assert 0 < view.shown["Progress"][1] < 100
    resume()
    run(panel)
    assert (transforms(), [imageOfVolume(node).matrix.tolist() for node in volumes]) == before
    assert parameters.outputTransform is None and view.shown["RevertEnabled"] is False
    headline, details = view.shown["Result"]
    assert "ALIGNED" in headline and "2.5 mm" in headline and "At most 4.2 mm in 95 % of cases" in headline
    assert "17.5 mm" in details and "before" not in details and "Rotation" not in details
    # the map is there and shown; it lies on the fixed volume
    node = errormap.find(*volumes[:2])
    assert overlay.isShown(node) and view.shown["ErrorMap"] == (True, True)
    wanted = apply(imageOfVolume(volumes[0]).matrix, np.array([8, 6, 4]))
    np.testing.assert_allclose(apply(FLIP_LPS_RAS, errormap.worst(node)[1]), wanted, atol=1e-3)
    panel.controllers.inspection.errors.onErrorMap(False)
    # the map with its display and colors, the legend with its storage; no more the second time
    added = slicer.mrmlScene.GetNumberOfNodes()
    assess(panel)
    assert slicer.mrmlScene.GetNumberOfNodes() == added <= nodes + 3
    assert len(errormap.maps()) == 1


def test_the_worker_gets_the_pose_of_the_scene(panel, view, volumes, parameters):
    """The moving volume without its parents, and these as a transform from the fixed volume, whose parents rotate."""
    assess(panel)
    inWorld = imageOfVolume(volumes[1]).matrix[:3, 3]
    seen = apply(FLIP_LPS_RAS @ np.linalg.inv(TURN) @ FLIP_LPS_RAS, inWorld)
    text = view.shown["Result"][0].split("lies at [")[1].split("]")[0]
    np.testing.assert_allclose([float(value) for value in text.split(",")], seen, atol=2e-3)


def test_it_is_of_the_pair_and_of_the_pose(panel, view, volumes, parameters):
    assess(panel)
    parameters.movingVolume = volumes[2]
    panel.update()
    assert view.shown["Result"] == ("", "") and view.shown["ErrorMap"] == (False, False)
    parameters.movingVolume = volumes[1]
    panel.update()
    assert "ALIGNED" in view.shown["Result"][0]
    panel.controllers.inspection.errors.onErrorMap(True)
    above = volumes[1].GetParentTransformNode()
    node = errormap.find(*volumes[:2])
    above.SetMatrixTransformToParent(toMatrix(SHIFTED @ np.diag([1.1, 1, 1, 1])))  # seen at once, without a call
    assert '"CT" was moved by 7.0 mm since it was assessed' in view.shown["Result"][0]
    assert view.shown["ErrorMap"] == (False, False) and not overlay.isShown(node)
    above.SetMatrixTransformToParent(toMatrix(np.diag([1.1, 1, 1, 1])))
    assert "ALIGNED" in view.shown["Result"][0] and errormap.find(*volumes[:2]) is node


def test_it_is_there_after_saving_and_loading(panel, view, volumes, parameters, saveAndLoad):
    assess(panel)
    said = view.shown["Result"]
    panel.onSceneStartClose()
    loaded = saveAndLoad()
    fixed, moving = (loaded.GetFirstNodeByName(name) for name in ("MR", "CT"))
    panel.setParameters(makeParameters(fixedVolume=fixed, movingVolume=moving))
    assert view.shown["Result"] == said and view.shown["ErrorMap"][0] is True


def test_the_newest_of_registration_and_assessment_counts(panel, view, volumes, parameters):
    panel.registerAction.onButton()
    run(panel)
    assert "CHECK" in view.shown["Result"][0] and "before" in view.shown["Result"][1]
    transform = parameters.outputTransform
    assess(panel)
    assert "ALIGNED" in view.shown["Result"][0] and "before" not in view.shown["Result"][1]
    assert view.shown["RevertEnabled"] is True and parameters.outputTransform is transform
    panel.onRevert()
    assert "since it was assessed" in view.shown["Result"][0]
    assess(panel)
    panel.registerAction.onButton()
    run(panel)
    assert "CHECK" in view.shown["Result"][0]
    panel.onRevert()  # all is as it was before the registration
    assert "ALIGNED" in view.shown["Result"][0] and view.shown["ErrorMap"][0] is True


def test_cancel(panel, view, client, parameters):
    parameters.seed = SLOW
    nodes = slicer.mrmlScene.GetNumberOfNodes()
    panel.assessAction.onButton()
    run(panel, until=lambda: "Estimating" in view.shown["Progress"][0])
    panel.registerAction.onButton()
    assert not panel.isRunning and not client.isStarted and slicer.mrmlScene.GetNumberOfNodes() == nodes
    assert view.shown["Message"] == ("Cancelled: nothing was changed.", False) and view.shown["AssessEnabled"] is True


def test_no_overlap_and_faults_are_said(panel, view, parameters):
    nodes = slicer.mrmlScene.GetNumberOfNodes()
    for seed, said in ((FAILED, '"MR" and "CT" do not overlap where they lie'), (BUG, "The assessment failed")):
        parameters.seed = seed
        assess(panel)
        assert said in view.shown["Message"][0] and view.shown["Message"][1]
        assert view.shown["Result"] == ("", "") and slicer.mrmlScene.GetNumberOfNodes() == nodes


def test_a_volume_that_is_deleted_meanwhile(panel, view, volumes, parameters, scene, resume):
    parameters.seed = WAITING
    panel.assessAction.onButton()
    run(panel, until=lambda: "Estimating" in view.shown["Progress"][0])
    scene.RemoveNode(volumes[1])
    resume()
    run(panel)
    assert view.shown["Message"] == ('"CT" was deleted: the assessment was stopped.', True)


@pytest.mark.parametrize("role", [0, 1])
@pytest.mark.parametrize("hard", [False, True])
def test_a_volume_that_is_moved_meanwhile(panel, view, volumes, parameters, role, hard):
    """The pose that was assessed is not the one that the volumes have then."""
    parameters.seed = WAITING
    panel.assessAction.onButton()
    run(panel, until=lambda: "Estimating" in view.shown["Progress"][0])
    nodes = slicer.mrmlScene.GetNumberOfNodes()
    if hard:
        volumes[role].HardenTransform()
    else:
        volumes[role].GetParentTransformNode().SetMatrixTransformToParent(toMatrix(np.eye(4)))
    run(panel)
    what = "hardened or given other voxels" if hard else "moved"
    words = f'"{volumes[role].GetName()}" was {what}: the assessment was stopped, begin it again.'
    assert view.shown["Message"] == (words, True)
    assert view.shown["Result"] == ("", "") and slicer.mrmlScene.GetNumberOfNodes() == nodes


def test_the_lattice_of_the_fixed_volume_is_part_of_the_pose(panel, view, volumes, parameters):
    assess(panel)
    assert "ALIGNED" in view.shown["Result"][0]
    volumes[0].SetOrigin(5, 0, 0)
    panel.update()
    assert '"CT" was moved by 5.0 mm' in view.shown["Result"][0]
    volumes[0].SetOrigin(0, 0, 0)
    for node in volumes[:2]:  # both stay where they are
        node.HardenTransform()
    panel.update()
    assert "ALIGNED" in view.shown["Result"][0]


def test_what_cannot_be_assessed(panel, view, volumes, parameters, scene):
    """The output transform does not matter, as none is written; a non-linear transform is refused."""
    parameters.outputTransform = volumes[0].GetParentTransformNode()
    panel.update()
    assert view.shown["Button"][1] is False and view.shown["AssessEnabled"] is True
    bend = scene.AddNewNodeByClass("vtkMRMLTransformNode", "Bend")
    bend.SetAndObserveTransformToParent(vtk.vtkThinPlateSplineTransform())
    volumes[1].SetAndObserveTransformNodeID(bend.GetID())
    assert view.shown["AssessEnabled"] is False and "non-linear" in view.shown["Button"][2]
    volumes[1].SetAndObserveTransformNodeID(None)
    assert view.shown["AssessEnabled"] is True
    parameters.movingVolume = None
    panel.update()
    assert view.shown["AssessEnabled"] is False
    panel.assessAction.onButton()
    assert not panel.isRunning
    panel.setParameters(None)
    assert view.shown["AssessEnabled"] is False
