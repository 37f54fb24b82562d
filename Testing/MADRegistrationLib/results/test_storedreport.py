"""Verdict and numbers belong to two volumes, to their voxels and to their pose."""

import json

import numpy as np
import pytest
import slicer
from doubles import WAITING, makeParameters, run

from MADRegistrationLib.results import storedreport
from MADRegistrationLib.scene.matrices import toMatrix

SHIFTED = np.eye(4) + np.eye(4, k=3) * 7


@pytest.fixture
def registered(panel, volumes):
    parameters = makeParameters(fixedVolume=volumes[0], movingVolume=volumes[1])
    panel.setParameters(parameters)
    panel.registerAction.onButton()
    run(panel)
    return parameters


def headline(panel, view):
    panel.update()
    return view.shown["Result"][0]


def test_another_pair_has_none_and_the_pair_has_its_own_again(panel, view, volumes, registered):
    assert "CHECK" in headline(panel, view)
    registered.movingVolume = volumes[2]
    assert headline(panel, view) == ""
    registered.movingVolume = volumes[1]
    assert "CHECK" in headline(panel, view)
    registered.fixedVolume, registered.movingVolume = volumes[1], volumes[0]
    assert headline(panel, view) == ""


def test_a_pose_that_was_changed_by_hand_has_none(panel, view, volumes, registered):
    transform = volumes[1].GetParentTransformNode()
    before = transform.GetMatrixTransformToParent
    matrix = np.array([[before().GetElement(row, column) for column in range(4)] for row in range(4)])
    matrix[0, 3] += 5
    transform.SetMatrixTransformToParent(toMatrix(matrix))
    text = headline(panel, view)
    assert "CHECK" not in text and '"CT" was moved by 5.0 mm since it was registered' in text
    assert view.shown["Result"][1] == ""
    matrix[0, 3] -= 5
    transform.SetMatrixTransformToParent(toMatrix(matrix))
    assert "CHECK" in headline(panel, view)


def test_both_moved_together_keep_it(panel, view, volumes, registered, addTransform):
    above = addTransform(SHIFTED)
    volumes[0].SetAndObserveTransformNodeID(above.GetID())
    volumes[1].GetParentTransformNode().SetAndObserveTransformNodeID(above.GetID())
    assert "CHECK" in headline(panel, view)


def test_hardened_it_is_kept(panel, view, volumes, registered):
    volumes[1].HardenTransform()
    assert volumes[1].GetParentTransformNode() is None and "CHECK" in headline(panel, view)
    assert not view.shown["RevertEnabled"]  # it could not be put back


def test_it_is_there_after_saving_and_loading(panel, view, registered, saveAndLoad):
    said = headline(panel, view), view.shown["Result"][1]
    panel.onSceneStartClose()
    assert view.shown["Result"] == ("", "")
    loaded = saveAndLoad()
    fixed, moving = (loaded.GetFirstNodeByName(name) for name in ("MR", "CT"))
    panel.setParameters(makeParameters(fixedVolume=fixed, movingVolume=moving))
    assert view.shown["Result"] == said


def edit(node):
    slicer.util.arrayFromVolume(node)[2, 3, 4] += 1
    slicer.util.arrayFromVolumeModified(node)


@pytest.mark.parametrize(("chosen", "names"), [((0,), '"MR"'), ((1,), '"CT"'), ((0, 1), '"MR" and "CT"')])
def test_other_voxels_have_none(panel, view, volumes, registered, chosen, names):
    for n in chosen:
        edit(volumes[n])
    said = f"The voxels of {names} were changed since the registration: the verdict no longer applies."
    assert view.shown["Result"] == (said, "")
    for n in chosen:
        slicer.util.arrayFromVolume(volumes[n])[2, 3, 4] -= 1
        slicer.util.arrayFromVolumeModified(volumes[n])
    assert "CHECK" in view.shown["Result"][0]


def test_other_voxels_have_none_after_saving_and_loading(panel, view, volumes, registered, saveAndLoad):
    edit(volumes[1])
    panel.onSceneStartClose()
    loaded = saveAndLoad()
    fixed, moving = (loaded.GetFirstNodeByName(name) for name in ("MR", "CT"))
    panel.setParameters(makeParameters(fixedVolume=fixed, movingVolume=moving))
    assert 'The voxels of "CT" were changed' in view.shown["Result"][0]


def test_voxels_that_change_while_it_runs_have_none(panel, view, volumes, resume):
    panel.setParameters(makeParameters(fixedVolume=volumes[0], movingVolume=volumes[1], seed=WAITING))
    panel.registerAction.onButton()
    run(panel, until=lambda: volumes[1].GetParentTransformNode() is not None)
    edit(volumes[1])
    resume()
    run(panel)
    assert 'The voxels of "CT" were changed' in view.shown["Result"][0]


def test_a_report_of_another_version_does_not_know_the_voxels(panel, view, volumes, registered):
    transform = volumes[1].GetParentTransformNode()
    report = json.loads(transform.GetAttribute(storedreport.REPORT))
    for voxels in (None, 3, ["a"]):
        transform.SetAttribute(storedreport.REPORT, json.dumps({**report, "voxels": voxels}))
        edit(volumes[1])
        assert "CHECK" in headline(panel, view)


def test_names_are_no_html(panel, view, volumes, registered):
    volumes[1].SetName("<b>CT</b> & more")
    volumes[1].SetAndObserveTransformNodeID(None)
    assert "&lt;b&gt;CT&lt;/b&gt; &amp; more" in headline(panel, view)


def test_changes_by_hand_are_seen_at_once(panel, view, volumes, registered, scene):
    """Without a call of the panel: the verdict goes, and the reason why the button is disabled."""
    volumes[1].SetAndObserveTransformNodeID(None)
    assert "was moved by" in view.shown["Result"][0]
    voxels = volumes[1].GetImageData()
    volumes[1].SetAndObserveImageData(None)
    assert view.shown["Button"][1] is False and "no voxels" in view.shown["Button"][2]
    volumes[1].SetAndObserveImageData(voxels)
    assert view.shown["Button"][1] is True
    scene.RemoveNode(volumes[1])
    assert "no longer in the scene" in view.shown["Button"][2]


def test_an_observer_may_look_before_the_pose_is_written(panel, view, volumes, registered):
    volumes[1].GetParentTransformNode().RemoveAttribute(storedreport.POSE)
    assert headline(panel, view) == ""
