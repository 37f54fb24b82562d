"""The output transform moves the moving volume and what the user agreed to, and nothing else."""

import numpy as np
import pytest
import slicer
from doubles import SLOW, makeParameters, run

from madreg.errors import InputError
from MADRegistrationLib.inputs import Inputs
from MADRegistrationLib.jobs.registration import SceneRegistration
from MADRegistrationLib.scene.transforms import parentToWorld
from MADRegistrationLib.selection.parameters import Measure


def register(panel, parameters):
    panel.setParameters(parameters)
    panel.registerAction.onButton()
    run(panel)


def names(className):
    return sorted(node.GetName() for node in slicer.util.getNodesByClass(className))


def test_a_second_moving_volume_gets_its_own_transform(panel, view, volumes):
    mr, ct, pet = volumes
    parameters = makeParameters(fixedVolume=mr, movingVolume=ct)
    register(panel, parameters)
    place = parentToWorld(ct)
    parameters.movingVolume = pet
    panel.update()
    assert parameters.outputTransform is None
    register(panel, parameters)
    np.testing.assert_array_equal(parentToWorld(ct), place)
    assert ct.GetParentTransformNode().GetName() == "CT to MR (MAD)"
    assert pet.GetParentTransformNode().GetName() == "PET to MR (MAD)" and not view.questions
    parameters.movingVolume = ct
    panel.update()
    assert parameters.outputTransform is ct.GetParentTransformNode()
    parameters.fixedVolume = pet
    panel.update()
    assert parameters.outputTransform is None


def test_registering_a_pair_again_uses_its_transform_and_error_map(panel, volumes, scene):
    """Also when the output selector is emptied, and for many at once."""
    parameters = makeParameters(fixedVolume=volumes[0], movingVolume=volumes[1], measure=Measure.NMI)
    panel.setParameters(parameters)
    panel.controllers.batch.volumes = volumes[1:]
    for _ in range(3):
        panel.registerAction.onBatchButton()
        run(panel)
        parameters.outputTransform = None
        panel.registerAction.onButton()
        run(panel)
    assert names("vtkMRMLLinearTransformNode") == ["CT to MR (MAD)", "PET to MR (MAD)"]
    assert names("vtkMRMLScalarVolumeNode") == [
        "CT",
        "CT to MR error (MAD)",
        "MR",
        "PET",
        "PET to MR error (MAD)",
    ]
    assert names("vtkMRMLTableNode") == ["MAD registrations"]


@pytest.mark.parametrize("answer", [False, True])
def test_an_output_that_carries_others_asks_first(panel, view, volumes, addTransform, answer):
    mr, ct, pet = volumes
    mine = addTransform(np.eye(4), "Mine")
    pet.SetAndObserveTransformNodeID(addTransform(np.eye(4), "Between", parent=mine).GetID())
    view.answer = answer
    register(panel, parameters := makeParameters(fixedVolume=mr, movingVolume=ct, outputTransform=mine))
    (question,) = view.questions
    assert '"Mine"' in question and '"PET"' in question and "Between" not in question
    moved = not np.allclose(parentToWorld(pet), np.eye(4))
    assert moved == answer and (ct.GetParentTransformNode() is mine) == answer
    if answer:
        view.questions.clear()
        register(panel, parameters)  # it was agreed to
        assert not view.questions
        panel.onRevert()
        panel.onRevert()
        np.testing.assert_allclose(parentToWorld(pet), np.eye(4))
    else:
        assert view.shown["Message"][0].startswith("Nothing was changed")


def test_what_the_user_put_under_the_result_asks_first(panel, view, volumes, scene):
    register(panel, parameters := makeParameters(fixedVolume=volumes[0], movingVolume=volumes[1]))
    volumes[2].SetAndObserveTransformNodeID(volumes[1].GetTransformNodeID())
    place = parentToWorld(volumes[2])
    register(panel, parameters)
    assert len(view.questions) == 1 and '"PET"' in view.questions[0]
    np.testing.assert_array_equal(parentToWorld(volumes[2]), place)


def test_a_script_is_refused(client, volumes, addTransform):
    mine = addTransform(np.eye(4), "Mine")
    volumes[2].SetAndObserveTransformNodeID(mine.GetID())
    registration = SceneRegistration(client, Inputs(volumes[0], volumes[1], transform=mine), {})
    with pytest.raises(InputError, match='"Mine" also carries "PET"'):
        registration.start()
    assert volumes[1].GetParentTransformNode() is None and not client.isStarted


def test_revert_does_not_orphan_what_the_user_put_under_the_result(panel, volumes, addTransform):
    above = addTransform(np.eye(4) + np.eye(4, k=3) * 7, "Patient")
    volumes[1].SetAndObserveTransformNodeID(above.GetID())
    register(panel, makeParameters(fixedVolume=volumes[0], movingVolume=volumes[1]))
    volumes[2].SetAndObserveTransformNodeID(volumes[1].GetTransformNodeID())
    panel.onRevert()
    assert volumes[2].GetParentTransformNode() is above


def test_the_output_of_a_cancelled_run_is_none(panel, volumes):
    parameters = makeParameters(fixedVolume=volumes[0], movingVolume=volumes[1], seed=SLOW)
    panel.setParameters(parameters)
    panel.registerAction.onButton()
    panel.registerAction.onButton()
    assert parameters.outputTransform is None
