"""Pictures that this module has made do not outlive what they show."""

import numpy as np
import pytest
import slicer
from doubles import makeParameters, run

from MADRegistrationLib.results import errormap
from MADRegistrationLib.selection.parameters import Measure
from MADRegistrationLib.views import edges, overlay


@pytest.fixture
def registered(panel, volumes):
    """CT on MR, with an error map that is shown."""
    parameters = makeParameters(fixedVolume=volumes[0], movingVolume=volumes[1], measure=Measure.NMI)
    panel.setParameters(parameters)
    panel.registerAction.onButton()
    run(panel)
    finish(panel)
    panel.controllers.inspection.errors.onErrorMap(True)
    assert overlay.isShown(errormap.find(*volumes[:2]))
    return parameters


def finish(panel):
    """Let the edges be made, and what is left over be removed."""
    while panel.needsPolling:
        panel.poll()


def names():
    return sorted(node.GetName() for node in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode"))


def test_the_map_goes_with_the_output_transform(panel, view, volumes, registered, scene):
    inside = []
    scene.AddObserver(scene.NodeRemovedEvent, lambda *_: inside.append(names()))
    scene.RemoveNode(volumes[1].GetParentTransformNode())
    # nothing is removed while the transform is being removed, which Slicer does not survive
    assert "CT to MR error (MAD)" in inside[-1] and view.shown["ErrorMap"] == (False, False)
    finish(panel)
    assert names() == ["CT", "CT edges (MAD)", "MR", "PET"]
    assert scene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeDisplayNode") == 1  # of the edges
    assert view.shown["Result"] == ("", "") and view.shown["ErrorMap"] == (False, False)
    assert all(
        view.GetLabelVolumeID() in (None, "") for view in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")
    )


def test_what_the_user_has_copied_stays(panel, volumes, registered, scene):
    """As Slicer's Clone makes it, with all attributes and references."""
    for node, name in ((errormap.find(*volumes[:2]), "Map Copy"), (edges.find(volumes[1]), "Edges Copy")):
        copy = slicer.vtkMRMLScalarVolumeNode()
        copy.Copy(node)
        copy.SetName(name)
        scene.AddNode(copy)
    panel.registerAction.onButton()
    run(panel)
    finish(panel)
    assert {"Map Copy", "Edges Copy", "CT to MR error (MAD)", "CT edges (MAD)"} < set(names())
    panel.onRevert()
    panel.onRevert()
    finish(panel)
    assert names() == ["CT", "Edges Copy", "MR", "Map Copy", "PET"]


def test_the_map_goes_also_where_the_transform_is_deleted_while_another_registration_runs(
    panel, volumes, registered, scene
):
    first = volumes[1].GetParentTransformNode()
    registered.movingVolume, registered.outputTransform = volumes[2], None
    panel.update()
    panel.registerAction.onButton()
    run(panel, until=lambda: panel.controllers.run.queue.registrations[0].history)
    scene.RemoveNode(first)
    run(panel)
    finish(panel)
    assert names() == ["CT", "CT edges (MAD)", "MR", "PET", "PET edges (MAD)", "PET to MR error (MAD)"]


def test_hardened_volumes_keep_verdict_and_map_without_their_transform(panel, view, volumes, registered, scene):
    transform, said = volumes[1].GetParentTransformNode(), view.shown["Result"]
    volumes[1].HardenTransform()
    scene.RemoveNode(transform)
    finish(panel)
    assert view.shown["Result"] == said and "CHECK" in said[0]
    assert "CT to MR error (MAD)" in names() and view.shown["ErrorMap"][0] is True
    matrix = np.eye(4)
    matrix[0, 3] = 3
    volumes[1].ApplyTransformMatrix(slicer.util.vtkMatrixFromArray(matrix))
    finish(panel)
    assert "CT to MR error (MAD)" not in names() and view.shown["Result"] == ("", "")


@pytest.mark.parametrize("role", [0, 1])
def test_all_goes_with_a_volume(panel, volumes, registered, scene, role):
    panel.controllers.pictures.onCheckerboard(True)
    run(panel)
    assert "Checkerboard of CT and MR" in names()
    scene.RemoveNode(volumes[role])
    finish(panel)
    left = names()
    assert "CT edges (MAD)" not in left if role else "Checkerboard of CT and MR" not in left
    scene.RemoveNode(volumes[1 - role])
    scene.RemoveNode(scene.GetFirstNodeByName("CT to MR (MAD)"))
    finish(panel)
    assert names() == ["PET"]


def test_a_map_that_revert_brings_back_stays(panel, view, volumes, registered):
    node, transform = errormap.find(*volumes[:2]), volumes[1].GetParentTransformNode()
    registered.measure = Measure.DEFAULT  # the next result has no map
    panel.registerAction.onButton()
    run(panel)
    assert volumes[1].GetParentTransformNode() is transform and errormap.find(*volumes[:2]) is None
    panel.update()
    finish(panel)
    panel.onRevert()
    assert errormap.find(*volumes[:2]) is node and view.shown["ErrorMap"][0] is True
