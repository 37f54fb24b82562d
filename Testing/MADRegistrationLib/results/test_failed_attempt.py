"""No harm: a result whose verdict is failed leaves the scene as it was; one button shows it."""

import numpy as np
import pytest
import slicer
from doubles import FAILED, makeParameters, run

from MADRegistrationLib.results import errormap
from MADRegistrationLib.scene.transforms import parentToWorld
from MADRegistrationLib.selection.parameters import Measure

SHIFTED = np.eye(4) + np.eye(4, k=3) * 7


@pytest.fixture
def attempt(panel, volumes, addTransform):
    volumes[1].SetAndObserveTransformNodeID(addTransform(SHIFTED, "Patient").GetID())
    parameters = makeParameters(fixedVolume=volumes[0], movingVolume=volumes[1], seed=FAILED, measure=Measure.NMI)
    panel.setParameters(parameters)
    panel.registerAction.onButton()
    run(panel)
    return parameters


def isUntouched(volumes, scene):
    return (
        volumes[1].GetParentTransformNode().GetName() == "Patient"
        and scene.GetNumberOfNodesByClass("vtkMRMLTransformNode") == 1
        and scene.GetNumberOfNodesByClass("vtkMRMLVolumeNode") == 3
    )


def test_a_failed_result_leaves_everything_where_it_was(panel, view, volumes, attempt, scene):
    assert isUntouched(volumes, scene) and attempt.outputTransform is None
    assert "FAILED" in view.shown["Result"][0] and "stays where it was" in view.shown["Result"][0]
    assert "#c62828" in view.shown["Result"][0]
    assert view.shown["Attempt"] == (True, False) and view.shown["RevertEnabled"] is False


def test_the_attempt_is_shown_and_hidden(panel, view, volumes, attempt, scene):
    for _ in range(2):
        panel.onAttempt()
        np.testing.assert_allclose(parentToWorld(volumes[1])[:3, 3], np.array([7, 0, 0]) + [10, -20, -30], atol=1e-9)
        assert view.shown["Attempt"] == (True, True) and errormap.find(*volumes[:2]) is not None
        assert "FAILED" in view.shown["Result"][0] and "stays where it was" not in view.shown["Result"][0]
        panel.onAttempt()
        assert isUntouched(volumes, scene) and view.shown["Attempt"] == (True, False)


def test_the_attempt_holds_where_the_user_has_taken_both(panel, volumes, attempt, addTransform):
    above = addTransform(SHIFTED)
    volumes[0].SetAndObserveTransformNodeID(above.GetID())
    volumes[1].GetParentTransformNode().SetAndObserveTransformNodeID(above.GetID())
    panel.onAttempt()
    np.testing.assert_allclose(parentToWorld(volumes[1])[:3, 3], np.array([14, 0, 0]) + [10, -20, -30], atol=1e-9)


def test_it_belongs_to_the_pair_and_the_pose(panel, view, volumes, attempt):
    attempt.movingVolume = volumes[2]
    panel.update()
    assert view.shown["Attempt"] == (False, False) and view.shown["Result"] == ("", "")
    panel.onAttempt()
    attempt.movingVolume = volumes[1]
    panel.update()
    assert view.shown["Attempt"] == (True, False)
    volumes[1].SetAndObserveTransformNodeID(None)
    panel.update()
    assert view.shown["Attempt"] == (False, False) and view.shown["Result"] == ("", "")


def test_a_shown_attempt_can_be_reverted(panel, view, volumes, attempt, scene):
    panel.onAttempt()
    assert view.shown["RevertEnabled"] is True
    panel.onRevert()
    assert isUntouched(volumes, scene)


def test_a_former_result_stays(panel, view, volumes, scene):
    """Registering again fails: the result of before is not lost, with its verdict and its error map."""
    parameters = makeParameters(fixedVolume=volumes[0], movingVolume=volumes[1], measure=Measure.NMI)
    panel.setParameters(parameters)
    panel.registerAction.onButton()
    run(panel)
    place, result = parentToWorld(volumes[1]), volumes[1].GetParentTransformNode()
    parameters.seed = FAILED
    panel.registerAction.onButton()
    run(panel)
    np.testing.assert_array_equal(parentToWorld(volumes[1]), place)
    assert errormap.find(*volumes[:2]) is not None and parameters.outputTransform is result
    assert "FAILED" in view.shown["Result"][0] and view.shown["Attempt"] == (True, False)


def test_no_resampled_volume_is_written(panel, view, volumes, scene):
    output = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Resampled")
    panel.setParameters(
        makeParameters(fixedVolume=volumes[0], movingVolume=volumes[1], seed=FAILED, resampledVolume=output)
    )
    panel.registerAction.onButton()
    run(panel)
    assert output.GetImageData() is None and '"Resampled" was not written' in view.shown["Result"][0]


def test_of_many_the_failed_ones_stay(panel, view, volumes):
    panel.setParameters(makeParameters(fixedVolume=volumes[0], seed=FAILED))
    panel.controllers.batch.volumes = volumes[1:]
    panel.registerAction.onBatchButton()
    panel.controllers.run.queue.registrations[1].settings = {
        **panel.controllers.run.queue.registrations[1].settings,
        "seed": 0,
    }
    run(panel)
    assert [row.verdict for row in view.shown["BatchRows"]] == ["FAILED", "CHECK"]
    assert view.shown["Message"][0] == "1 of 2 volumes registered."
    assert volumes[1].GetParentTransformNode() is None and volumes[2].GetParentTransformNode() is not None
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLLinearTransformNode") == 1
