"""What the user deletes or moves while a registration runs: it is said, and the result is kept or nothing changed."""

import numpy as np
import pytest
import slicer
import vtk
from doubles import FAILED, QUICK, SLOW, WAITING, makeParameters, run

from MADRegistrationLib.jobs import registration
from MADRegistrationLib.results import errormap
from MADRegistrationLib.scene.matrices import toMatrix
from MADRegistrationLib.scene.pose import poseOf
from MADRegistrationLib.scene.transforms import parentToWorld
from MADRegistrationLib.selection import parameters as p

SHIFTED = np.eye(4) + np.eye(4, k=3) * 7


def begin(panel, view, **values):
    """Start, and poll until the moving volume has followed once."""
    parameters = makeParameters(**{"seed": WAITING, **values})
    panel.setParameters(parameters)
    panel.registerAction.onButton()
    run(panel, until=lambda: panel.controllers.run.queue.registrations[0].history)
    assert panel.isRunning
    return parameters


@pytest.mark.parametrize("isChosen", [False, True])
def test_the_output_transform(panel, view, volumes, scene, addTransform, isChosen, resume):
    fixed, moving, _ = volumes
    moving.SetAndObserveTransformNodeID(addTransform(SHIFTED, "Patient").GetID())
    mine = addTransform(np.eye(4), "Mine") if isChosen else None
    parameters = begin(panel, view, fixedVolume=fixed, movingVolume=moving, outputTransform=mine)
    scene.RemoveNode(moving.GetParentTransformNode())
    resume()
    run(panel)
    result = moving.GetParentTransformNode()
    assert result.GetName() == "CT to MR (MAD)" and result.GetParentTransformNode().GetName() == "Patient"
    assert parameters.outputTransform is result
    # moving point 0, at (7, 0, 0) before, lies at fixed (7, 0, 0) less (10, -20, 30) LPS
    np.testing.assert_allclose(parentToWorld(moving)[:3, 3], np.array([7, 0, 0]) + [10, -20, -30], atol=1e-9)
    assert "was deleted" in view.shown["Result"][0] and '"CT to MR (MAD)"' in view.shown["Result"][0]
    panel.onRevert()
    assert moving.GetParentTransformNode().GetName() == "Patient"


def test_the_fixed_volume_is_put_under_the_output(panel, view, volumes, scene, resume):
    fixed, moving, _ = volumes
    begin(panel, view, fixedVolume=fixed, movingVolume=moving)
    fixed.SetAndObserveTransformNodeID(moving.GetTransformNodeID())
    resume()
    run(panel)
    text, isError = view.shown["Message"]
    assert isError and 'The fixed volume "MR" lies under "CT to MR (MAD)"' in text
    assert fixed.GetTransformNodeID() is None and moving.GetTransformNodeID() is None
    assert scene.GetNumberOfNodesByClass("vtkMRMLTransformNode") == 0


@pytest.mark.parametrize(("role", "name"), [(0, "MR"), (1, "CT")])
def test_a_volume(panel, view, client, volumes, scene, role, name):
    begin(panel, view, fixedVolume=volumes[0], movingVolume=volumes[1], seed=SLOW)
    scene.RemoveNode(volumes[role])
    run(panel)
    assert not panel.isRunning and not client.isStarted
    assert view.shown["Message"] == (f'"{name}" was deleted: the registration was stopped.', True)
    assert volumes[1 - role].GetParentTransformNode() is None
    assert scene.GetNumberOfNodesByClass("vtkMRMLTransformNode") == 0


def test_one_volume_of_many(panel, view, volumes, scene):
    panel.setParameters(makeParameters(fixedVolume=volumes[0], seed=SLOW))
    panel.controllers.batch.volumes = volumes[1:]
    panel.registerAction.onBatchButton()
    panel.controllers.run.queue.registrations[1].settings = {
        **panel.controllers.run.queue.registrations[1].settings,
        "seed": 0,
    }
    run(panel, until=lambda: panel.controllers.run.queue.registrations[0].history)
    scene.RemoveNode(volumes[1])
    run(panel)
    assert [row.verdict for row in view.shown["BatchRows"]] == ["FAILED", "CHECK"]
    assert '"CT" was deleted' in view.shown["BatchRows"][0].remark


def test_the_resampled_volume(panel, view, volumes, scene, resume):
    output = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Resampled")
    begin(panel, view, fixedVolume=volumes[0], movingVolume=volumes[1], resampledVolume=output)
    scene.RemoveNode(output)
    resume()
    run(panel)
    assert volumes[1].GetParentTransformNode() is not None
    assert "resampled volume was deleted" in view.shown["Result"][0]
    panel.onRevert()
    assert volumes[1].GetParentTransformNode() is None


def test_the_transform_above_the_moving_volume(panel, view, volumes, scene, addTransform, resume):
    parent = addTransform(SHIFTED, "Patient")
    volumes[1].SetAndObserveTransformNodeID(parent.GetID())
    begin(panel, view, fixedVolume=volumes[0], movingVolume=volumes[1])
    scene.RemoveNode(parent)
    resume()
    run(panel)
    np.testing.assert_allclose(parentToWorld(volumes[1])[:3, 3], np.array([7, 0, 0]) + [10, -20, -30], atol=1e-9)
    panel.onRevert()
    assert volumes[1].GetParentTransformNode() is None


def test_the_fixed_volume_is_moved(panel, view, volumes, addTransform, resume):
    """The result is of the two volumes: it holds where the user has taken them meanwhile."""
    fixed, moving, _ = volumes
    begin(panel, view, fixedVolume=fixed, movingVolume=moving)
    fixed.SetAndObserveTransformNodeID(addTransform(SHIFTED).GetID())
    resume()
    run(panel)
    pose = poseOf(fixed, moving)
    np.testing.assert_allclose(pose[:3, 3], [10, -20, -30], atol=1e-9)


def test_a_non_linear_transform_above_the_fixed_volume(panel, view, volumes, scene, resume):
    begin(panel, view, fixedVolume=volumes[0], movingVolume=volumes[1])
    bend = scene.AddNewNodeByClass("vtkMRMLTransformNode", "Bend")
    bend.SetAndObserveTransformToParent(vtk.vtkThinPlateSplineTransform())
    volumes[0].SetAndObserveTransformNodeID(bend.GetID())
    resume()
    run(panel)
    assert view.shown["Message"][1] and "non-linear" in view.shown["Message"][0]
    assert volumes[1].GetParentTransformNode() is None


def test_a_non_linear_transform_above_the_fixed_volume_of_a_failed_registration(panel, view, volumes, scene):
    """Nothing is to be moved, but it could not be said where both lie."""
    begin(panel, view, fixedVolume=volumes[0], movingVolume=volumes[1], seed=FAILED, followProgress=False)
    bend = scene.AddNewNodeByClass("vtkMRMLTransformNode", "Bend")
    bend.SetAndObserveTransformToParent(vtk.vtkThinPlateSplineTransform())
    volumes[0].SetAndObserveTransformNodeID(bend.GetID())
    run(panel)
    assert view.shown["Message"][1] and "non-linear" in view.shown["Message"][0]
    assert view.shown["Button"][0] == "Register" and volumes[1].GetParentTransformNode() is None


def test_the_mask(panel, view, volumes, addVolume, scene, resume):
    mask = addVolume(np.ones((9, 10, 11), np.uint8), name="CT mask", nodeClass="vtkMRMLLabelMapVolumeNode")
    begin(panel, view, fixedVolume=volumes[0], movingVolume=volumes[1], movingMask=mask)
    scene.RemoveNode(mask)
    resume()
    run(panel)
    assert volumes[1].GetParentTransformNode() is not None, view.shown["Message"]
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLLinearTransformNode") == 1


def beginUnseen(panel, view, **values):
    """Start, and poll until there was progress, which the moving volume does not follow."""
    begin(panel, view, followProgress=False, **values)


def test_a_moving_volume_that_the_user_moves_stays_there_after_cancel(panel, view, volumes, addTransform):
    beginUnseen(panel, view, fixedVolume=volumes[0], movingVolume=volumes[1], seed=SLOW)
    mine = addTransform(SHIFTED, "Mine")
    volumes[1].SetAndObserveTransformNodeID(mine.GetID())
    panel.registerAction.onButton()
    assert view.shown["Message"] == ("Cancelled: nothing was changed.", False)
    assert volumes[1].GetParentTransformNode() is mine


def test_an_output_transform_that_the_user_changes_stays_so_after_cancel(panel, view, volumes, addTransform):
    mine = addTransform(np.eye(4), "Mine")
    volumes[1].SetAndObserveTransformNodeID(mine.GetID())
    beginUnseen(panel, view, fixedVolume=volumes[0], movingVolume=volumes[1], outputTransform=mine, seed=SLOW)
    mine.SetMatrixTransformToParent(toMatrix(SHIFTED))
    mine.SetName("Renamed")
    panel.registerAction.onButton()
    assert mine.GetName() == "Renamed"
    np.testing.assert_array_equal(parentToWorld(volumes[1]), SHIFTED)


def test_a_failed_result_leaves_the_moving_volume_where_the_user_has_taken_it(
    panel, view, volumes, addTransform, monkeypatch, resume
):
    beginUnseen(panel, view, fixedVolume=volumes[0], movingVolume=volumes[1])
    mine = addTransform(SHIFTED, "Mine")
    volumes[1].SetAndObserveTransformNodeID(mine.GetID())
    monkeypatch.setattr(registration, "verdictOf", lambda report: ("failed", ""))
    resume()
    run(panel)
    assert volumes[1].GetParentTransformNode() is mine


@pytest.mark.parametrize("end", ["cancelled", "failed"])
def test_new_voxels_of_the_resampled_volume_stay_where_no_result_was_written(
    panel, view, volumes, addVolume, scene, end
):
    output = addVolume(np.zeros((3, 3, 3), np.int16), name="Output")
    begin(panel, view, fixedVolume=volumes[0], movingVolume=volumes[1], resampledVolume=output, seed=SLOW)
    voxels = vtk.vtkImageData()
    voxels.DeepCopy(volumes[2].GetImageData())
    output.SetAndObserveImageData(voxels)
    if end == "cancelled":
        panel.registerAction.onButton()
    else:
        scene.RemoveNode(volumes[0])
        run(panel)
    assert output.GetImageData() is voxels and volumes[1].GetParentTransformNode() is None


def test_revert_gives_the_resampled_volume_what_it_showed_when_the_result_came(panel, view, volumes, addVolume, resume):
    output = addVolume(np.zeros((3, 3, 3), np.int16), name="Output")
    begin(panel, view, fixedVolume=volumes[0], movingVolume=volumes[1], resampledVolume=output)
    voxels = vtk.vtkImageData()
    voxels.DeepCopy(volumes[2].GetImageData())
    output.SetAndObserveImageData(voxels)
    resume()
    run(panel)
    assert output.GetImageData() is not voxels
    panel.onRevert()
    assert output.GetImageData() is voxels


KEPT = 'Everything is as it was before the registration, but "Output" keeps the voxels that it was given since.'


@pytest.mark.parametrize("change", ["painted", "other"])
@pytest.mark.parametrize("before", ["voxels", "none"])
def test_revert_leaves_voxels_that_the_user_has_given_the_resampled_volume_since(
    panel, view, volumes, addVolume, scene, resume, before, change
):
    if before == "voxels":
        output = addVolume(np.zeros((3, 3, 3), np.int16), name="Output")
    else:
        output = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Output")
    begin(panel, view, fixedVolume=volumes[0], movingVolume=volumes[1], resampledVolume=output)
    resume()
    run(panel)
    edit(output, change)
    now, place = slicer.util.arrayFromVolume(output).copy(), output.GetTransformNodeID()
    panel.onRevert()
    np.testing.assert_array_equal(slicer.util.arrayFromVolume(output), now)
    assert output.GetTransformNodeID() == place and output.GetDisplayNode() is not None
    assert volumes[1].GetParentTransformNode() is None and view.shown["Message"] == (KEPT, False)


@pytest.mark.parametrize("when", ["before", "after", "never"])
def test_revert_in_a_loaded_scene_leaves_voxels_that_the_user_has_given_since(
    panel, view, volumes, scene, saveAndLoad, resume, when
):
    output = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Output")
    begin(panel, view, fixedVolume=volumes[0], movingVolume=volumes[1], resampledVolume=output)
    resume()
    run(panel)
    if when == "before":
        edit(output)
    panel.onSceneStartClose()
    loaded = saveAndLoad()
    fixed, moving, output = (loaded.GetFirstNodeByName(name) for name in ("MR", "CT", "Output"))
    if when == "after":
        edit(output)
    panel.setParameters(makeParameters(fixedVolume=fixed, movingVolume=moving))
    panel.onRevert()
    assert moving.GetParentTransformNode() is None
    assert (output.GetImageData() is None) == (when == "never")
    said = "Everything is as it was before the registration." if when == "never" else KEPT
    assert view.shown["Message"] == (said, False)


@pytest.mark.parametrize("isFirst", [True, False])
def test_a_scene_that_is_saved_while_it_runs_can_be_put_back(
    panel, view, volumes, scene, addTransform, saveAndLoad, resume, isFirst
):
    parent, other = addTransform(SHIFTED, "Patient"), volumes[2]
    volumes[1].SetAndObserveTransformNodeID(parent.GetID())
    if not isFirst:  # an earlier registration of these two, with an error map
        values = {"measure": p.Measure.NMI, "seed": QUICK}
        panel.setParameters(makeParameters(fixedVolume=volumes[0], movingVolume=volumes[1], **values))
        panel.registerAction.onButton()
        run(panel)
    names = "CT", "MR", "CT to MR (MAD)", "CT to MR error (MAD)"
    before = poseOf(volumes[0], volumes[1])
    # a run of another pair, which is not to be reverted in its place
    panel.setParameters(makeParameters(fixedVolume=volumes[0], movingVolume=other))
    panel.registerAction.onButton()
    run(panel)
    begin(panel, view, fixedVolume=volumes[0], movingVolume=volumes[1])
    assert not np.allclose(poseOf(volumes[0], volumes[1]), before)
    loaded = saveAndLoad()
    panel.onSceneStartClose()
    moving, fixed, transform, errorMap = (loaded.GetFirstNodeByName(name) for name in names)
    panel.setParameters(makeParameters(fixedVolume=fixed, movingVolume=moving))
    assert view.shown["RevertEnabled"] is True and "CHECK" not in view.shown["Result"][0]
    panel.onRevert()
    np.testing.assert_allclose(poseOf(fixed, moving), before, atol=1e-6)
    assert loaded.GetFirstNodeByName("PET").GetParentTransformNode() is not None
    if isFirst:
        assert moving.GetParentTransformNode().GetName() == "Patient" and transform.GetScene() is None
    else:
        assert (
            moving.GetParentTransformNode() is transform and transform.GetParentTransformNode().GetName() == "Patient"
        )
        assert errormap.find(fixed, moving) is errorMap is not None and errorMap.GetScene() is loaded
        assert transform.GetNodeReference("MADRegistrationErrorMap") is errorMap
        assert view.shown["Result"][0] != "" and "no longer applies" not in view.shown["Result"][0]


def edit(node, change="painted"):
    """Give a volume other voxels: some painted in place, as by a script that does not say so, or others altogether."""
    if change == "painted":
        slicer.util.arrayFromVolume(node)[1, 1, 1] += 1
        return
    voxels = vtk.vtkImageData()
    voxels.DeepCopy(node.GetImageData())
    voxels.GetPointData().GetScalars().Fill(7)
    node.SetAndObserveImageData(voxels)
