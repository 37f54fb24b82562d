"""Looking at the two volumes: blend, flicker, error map, checkerboard."""

import numpy as np
import slicer
import vtk
from doubles import QUICK, SLOW, TURN, finish, layers, makeParameters, run

from MADRegistrationLib.inputs import Inputs
from MADRegistrationLib.jobs.registration import SceneRegistration
from MADRegistrationLib.panel.panel import Panel
from MADRegistrationLib.selection import parameters as p


def test_blend_and_flicker(panel, view, volumes):
    fixed, moving, _ = (node.GetID() for node in volumes)
    panel.setParameters(makeParameters(fixedVolume=volumes[0], movingVolume=volumes[1]))
    assert view.shown["InspectionEnabled"] is True
    panel.controllers.inspection.blending.onOpacity(0.25)
    assert layers() == [(fixed, moving, 0.25)] * 2 and view.shown["Opacity"] == 0.25
    panel.controllers.inspection.blending.onFlickerToggled(True)
    panel.controllers.inspection.blending.onFlick()
    assert layers() == [(fixed, moving, 1.0)] * 2 and view.shown["Opacity"] == 1.0
    panel.controllers.inspection.blending.onFlick()
    assert layers() == [(fixed, moving, 0.0)] * 2
    panel.controllers.inspection.blending.onFlickerToggled(False)
    assert layers() == [(fixed, moving, 0.25)] * 2 and view.shown["Opacity"] == 0.25


def test_a_pair_brought_into_view_is_seen(panel, view, volumes):
    """A slice view that never had a foreground would show it with an opacity of 0."""
    assert {opacity for _, _, opacity in layers()} == {0.0}
    panel.setParameters(makeParameters(fixedVolume=volumes[0], movingVolume=volumes[1]))
    panel.controllers.inspection.onColors(True)
    assert layers() == [(volumes[0].GetID(), volumes[1].GetID(), 0.5)] * 2 and view.shown["Opacity"] == 0.5


def sliceOffsets():
    """World position (RAS) of the middle of each slice view."""
    nodes = slicer.util.getNodesByClass("vtkMRMLSliceNode")
    return [[node.GetSliceToRAS().GetElement(row, 3) for row in range(3)] for node in nodes]


def test_error_map_and_worst_place(panel, view, volumes, scene):
    fixed, moving, _ = volumes
    for name in ("Red", "Green"):
        node = slicer.vtkMRMLSliceNode()
        node.SetLayoutName(name)
        scene.AddNode(node)
    panel.setParameters(makeParameters(fixedVolume=fixed, movingVolume=moving, measure=p.Measure.NMI))
    assert view.shown["ErrorMap"] == (False, False)
    panel.registerAction.onButton()
    assert view.shown["ErrorMap"] == (False, False)
    run(panel)
    assert view.shown["ErrorMap"] == (True, False)  # there, but not shown before it is asked for
    panel.controllers.inspection.errors.onErrorMap(True)
    panel.update()
    assert view.shown["ErrorMap"] == (True, True)
    node = scene.GetFirstNodeByName("CT to MR error (MAD)")
    composite = slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")
    assert {n.GetLabelVolumeID() for n in composite} == {node.GetID()}
    assert layers() == [(fixed.GetID(), moving.GetID(), 0.5)] * 2
    panel.controllers.inspection.errors.onWorst()
    # coarse index (4, 3, 2) of the fake is index (8, 6, 4), and the axes of these volumes are those of RAS
    np.testing.assert_allclose(sliceOffsets(), [[8, 6, 4]] * 2, atol=1e-6)
    assert view.shown["Message"][0].startswith("The largest local error, 17.5 mm")
    panel.update()
    assert view.shown["Message"][0].startswith("The largest local error, 17.5 mm")
    panel.setParameters(makeParameters(fixedVolume=fixed, movingVolume=volumes[2]))
    assert view.shown["ErrorMap"] == (False, False)  # of another pair
    assert view.shown["Message"] == ("", False)
    panel.setParameters(makeParameters(fixedVolume=fixed, movingVolume=moving, measure=p.Measure.NMI))
    assert view.shown["ErrorMap"] == (True, False)  # there again, but not shown
    panel.controllers.inspection.errors.onErrorMap(True)
    panel.onRevert()
    assert view.shown["ErrorMap"] == (False, False) and {n.GetLabelVolumeID() for n in composite} == {None}
    assert scene.GetFirstNodeByName("CT to MR error (MAD)") is None


def test_a_new_run_hides_the_old_error_map(panel, view, volumes):
    parameters = makeParameters(fixedVolume=volumes[0], movingVolume=volumes[1], measure=p.Measure.NMI)
    panel.setParameters(parameters)
    panel.registerAction.onButton()
    run(panel)
    panel.controllers.inspection.errors.onErrorMap(True)
    parameters.seed = SLOW
    panel.registerAction.onButton()
    assert {n.GetLabelVolumeID() for n in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")} == {None}
    panel.registerAction.onButton()
    assert view.shown["ErrorMap"] == (True, False)  # cancelled: the old result is there again


def test_the_checkerboard_is_a_volume_in_the_views_and_goes_by_the_same_toggle(panel, view, volumes, scene):
    panel.setParameters(makeParameters(fixedVolume=volumes[0], movingVolume=volumes[1]))
    for _ in range(2):  # the second overwrites the first
        panel.controllers.pictures.onCheckerboard(True)
        assert view.shown["Button"][0] == "Cancel"
        run(panel)
        assert view.shown["Message"] == ("", False) and view.shown["Pictures"] == (False, False, True)
    assert scene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode") == 4
    node = scene.GetFirstNodeByName("Checkerboard of CT and MR")
    assert slicer.util.arrayFromVolume(node).shape == (9, 10, 11)
    assert layers() == [(node.GetID(), None, 0.5)] * 2
    panel.controllers.pictures.onCheckerboard(False)
    assert layers() == [(volumes[0].GetID(), volumes[1].GetID(), 0.5)] * 2
    assert view.shown["Pictures"] == (False, False, False)


def test_the_button_of_the_checkerboard_comes_up_when_the_pair_is_brought_back(panel, view, volumes):
    panel.setParameters(makeParameters(fixedVolume=volumes[0], movingVolume=volumes[1], measure=p.Measure.NMI))
    panel.registerAction.onButton()
    run(panel)
    inspection = panel.controllers.inspection
    for touch in (
        lambda: inspection.blending.onOpacity(0.25),
        lambda: inspection.blending.onFlickerToggled(True),
        inspection.errors.onWorst,
    ):
        panel.controllers.pictures.onCheckerboard(True)
        run(panel)
        assert view.shown["Pictures"][2] is True
        touch()
        assert view.shown["Pictures"][2] is False and view.shown["Opacity"] == layers()[0][2]
        inspection.blending.onFlickerToggled(False)


def test_a_checkerboard_of_the_two_as_they_no_longer_lie_leaves_the_views(panel, view, volumes, addTransform):
    fixed, moving, other = volumes
    parameters = makeParameters(fixedVolume=fixed, movingVolume=moving)
    panel.setParameters(parameters)
    transform = addTransform(TURN, "Both")

    def edit():
        slicer.util.arrayFromVolume(moving)[:] += 1
        slicer.util.arrayFromVolumeModified(moving)

    def choose():
        parameters.movingVolume = other
        panel.update()

    for change in (
        lambda: moving.SetAndObserveTransformNodeID(transform.GetID()),
        lambda: fixed.SetAndObserveTransformNodeID(transform.GetID()),
        edit,
        choose,
    ):
        panel.controllers.pictures.onCheckerboard(True)
        run(panel)
        panel.update()
        assert view.shown["Pictures"][2] is True and layers()[0][1] is None
        change()
        assert view.shown["Pictures"][2] is False
        assert layers()[0][:2] == (fixed.GetID(), parameters.movingVolume.GetID())


def test_a_volume_of_the_users_is_not_overwritten_by_the_checkerboard(panel, volumes, scene, addVolume):
    mine = addVolume(np.full((4, 5, 6), 7, np.int16), name="Checkerboard of CT and MR")
    panel.setParameters(makeParameters(fixedVolume=volumes[0], movingVolume=volumes[1]))
    panel.controllers.pictures.onCheckerboard(True)
    run(panel)
    assert scene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode") == 5
    assert (slicer.util.arrayFromVolume(mine) == 7).all() and mine.GetAttribute("MADRegistration.Made") is None


def test_a_comparison_can_be_cancelled(panel, view, volumes, client, scene):
    panel.setParameters(makeParameters(fixedVolume=volumes[0], movingVolume=volumes[1]))
    panel.controllers.pictures.onCheckerboard(True)
    panel.registerAction.onButton()
    assert not panel.isRunning and not client.isStarted and view.shown["Button"][0] == "Register"
    assert scene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode") == 3


def test_a_button_does_not_stay_down_when_there_is_nothing_to_see(panel, view, volumes, addVolume, scene):
    """The user has pressed it: so it is said that nothing is shown, and why."""
    bend = scene.AddNewNodeByClass("vtkMRMLTransformNode", "Bend")
    bend.SetAndObserveTransformToParent(vtk.vtkThinPlateSplineTransform())
    empty = addVolume(np.full((9, 10, 11), np.nan, np.float32), name="Gaps")
    parameters = makeParameters(fixedVolume=volumes[0], movingVolume=volumes[1])
    panel.setParameters(parameters)
    pictures = panel.controllers.pictures
    for moving, parent, words in ((volumes[1], bend, '"Bend"'), (empty, None, "Gaps holds no finite number")):
        parameters.movingVolume = moving
        moving.SetAndObserveTransformNodeID(None if parent is None else parent.GetID())
        for action in (pictures.onEdges, pictures.onCheckerboard):
            view.shown["Pictures"] = (False, True, True)  # as Qt does
            action(True)
            finish(panel)
            assert view.shown["Pictures"] == (False, False, False)
            assert words in view.shown["Message"][0] and view.shown["Message"][1]
            panel.controllers.messages.setMessage("", False)


def test_edges_of_a_volume_that_is_deleted_meanwhile_are_not_spoken_of(panel, view, volumes, scene):
    parameters = makeParameters(fixedVolume=volumes[0], movingVolume=volumes[1])
    panel.setParameters(parameters)
    panel.controllers.pictures.onEdges(True)
    scene.RemoveNode(volumes[1])
    parameters.movingVolume = None
    finish(panel)
    assert "Message" not in view.shown


def test_the_map_of_a_registration_by_a_script_can_be_shown_at_once(panel, view, client, volumes):
    """The open panel knows of it by the scene alone."""
    fixed, moving, _ = volumes
    panel.setParameters(makeParameters(fixedVolume=fixed, movingVolume=moving))
    for _ in range(2):  # the second overwrites the map of the first
        registration = SceneRegistration(client, Inputs(fixed, moving), {"measure": "nmi", "seed": QUICK})
        registration.start()
        while registration.state == "running":
            registration.poll()
        assert registration.state == "done" and view.shown["ErrorMap"] == (True, False)


def test_the_scale_of_a_map_that_was_saved_is_shown(panel, view, client, volumes, saveAndLoad):
    panel.setParameters(makeParameters(fixedVolume=volumes[0], movingVolume=volumes[1], measure=p.Measure.NMI))
    panel.registerAction.onButton()
    run(panel)
    errors = panel.controllers.inspection.errors
    errors.onErrorMap(True)
    errors.onErrorScale(12.0)
    loaded = saveAndLoad()
    panel = Panel(view, client, ensureTorch=lambda: None)  # of another session
    errors = panel.controllers.inspection.errors
    fixed, moving = (loaded.GetFirstNodeByName(name) for name in ("MR", "CT"))
    panel.setParameters(makeParameters(fixedVolume=fixed, movingVolume=moving))
    assert view.shown["ErrorMap"] == (True, True) and view.shown["ErrorScale"] == errors.scaleMm == 12.0
    errors.onErrorScale(3.0)
    errors.onErrorMap(False)
    errors.onErrorMap(True)
    assert view.shown["ErrorScale"] == 3.0
    panel.close()
