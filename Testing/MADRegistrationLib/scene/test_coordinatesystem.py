"""The backend gets a pair in the fixed volume's own coordinates: the same pose is the same work, wherever both lie."""

import numpy as np
import pytest
from doubles import makeParameters, run

from madreg.image.geometry import about
from MADRegistrationLib.inputs import Inputs
from MADRegistrationLib.jobs.registration import SceneRegistration
from MADRegistrationLib.results import errormap
from MADRegistrationLib.scene.pose import poseOf
from MADRegistrationLib.selection.parameters import Measure

TURN = about(np.array([3.0, -8, 20]), np.array([[0.0, -1, 0], [0.6, 0, -0.8], [0.8, 0, 0.6]]), np.array([5.0, 40, -9]))
OWN = np.eye(4) + np.eye(4, k=3) * 7


@pytest.fixture
def sent(client, monkeypatch):
    """Function: the matrices that the worker is sent for two volumes."""
    commands = []
    monkeypatch.setattr(client, "send", lambda **command: commands.append(command))

    def of(fixed, moving, **inputs):
        registration = SceneRegistration(client, Inputs(fixed, moving, **inputs), {})
        registration.start()
        while not commands:
            next(registration._steps, None)
        registration.cancel()
        command = commands.pop()
        return [np.array(command[role]["matrix"]) for role in ("fixed", "moving")]

    return of


def test_a_common_parent_changes_nothing(sent, volumes, addTransform):
    fixed, moving, _ = volumes
    own = addTransform(OWN)
    moving.SetAndObserveTransformNodeID(own.GetID())
    before = sent(fixed, moving)
    common = addTransform(TURN)
    fixed.SetAndObserveTransformNodeID(common.GetID())
    own.SetAndObserveTransformNodeID(common.GetID())
    np.testing.assert_allclose(sent(fixed, moving), before, atol=1e-9)


def test_an_initial_transform_is_where_it_begins(sent, panel, volumes, addTransform):
    """The moving volume is sent as if it lay under it, and ends where the same result says."""
    fixed, moving, _ = volumes
    initial = addTransform(TURN, "Initial")
    moving.SetAndObserveTransformNodeID(initial.GetID())
    before = sent(fixed, moving)
    moving.SetAndObserveTransformNodeID(None)
    np.testing.assert_allclose(sent(fixed, moving, initial=initial), before, atol=1e-9)


def test_the_result_from_an_initial_transform(panel, volumes, addTransform):
    fixed, moving, _ = volumes
    initial = addTransform(TURN, "Initial")
    panel.setParameters(makeParameters(fixedVolume=fixed, movingVolume=moving, initialTransform=initial))
    panel.registerAction.onButton()
    run(panel)
    assert moving.GetParentTransformNode() is not initial
    back = np.eye(4)
    back[:3, 3] = [10, -20, -30]  # what the fake finds, as in the other tests
    np.testing.assert_allclose(poseOf(fixed, moving), back @ TURN, atol=1e-9)


def test_lengths_stay_those_of_the_scene(sent, volumes, addTransform):
    """A parent that scales is not taken out: the error is in mm of the scene."""
    fixed, moving, _ = volumes
    for node in (fixed, moving):
        node.SetAndObserveTransformNodeID(addTransform(TURN @ np.diag([2.0, 2, 2, 1])).GetID())
    for matrix in sent(fixed, moving):
        np.testing.assert_allclose(np.linalg.norm(matrix[:3, :3], axis=0), 2)


def test_the_result_is_the_same_motion_of_the_pair(panel, volumes, addTransform):
    """Pose, error map and worst place, under a parent above both."""
    fixed, moving, _ = volumes
    poses, places = [], []
    for parent in (np.eye(4), TURN):
        node = addTransform(parent)
        for volume in (fixed, moving):
            volume.SetAndObserveTransformNodeID(node.GetID())
        panel.setParameters(makeParameters(fixedVolume=fixed, movingVolume=moving, measure=Measure.NMI))
        panel.registerAction.onButton()
        run(panel)
        poses.append(poseOf(fixed, moving))
        worst = errormap.worst(errormap.find(fixed, moving))[1]
        places.append(np.linalg.inv(parent) @ [*worst, 1.0])
        assert panel.controllers.run.queue.registrations[0].report["moved_mm"] == pytest.approx(np.sqrt(1400))
        panel.onRevert()
    np.testing.assert_allclose(poses[1], poses[0], atol=1e-6)
    np.testing.assert_allclose(places[1], places[0], atol=1e-4)
