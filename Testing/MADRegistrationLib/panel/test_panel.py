import numpy as np
import slicer
import vtk
from doubles import BAD_INPUT, CRASH, SLOW, layers, makeParameters, run

from madreg.errors import InputError
from MADRegistrationLib.panel.panel import Panel
from MADRegistrationLib.selection import parameters as p


def test_register_runs_and_the_button_is_cancel_meanwhile(panel, view, volumes):
    before = layers()
    parameters = makeParameters(fixedVolume=volumes[0], movingVolume=volumes[1])
    panel.setParameters(parameters)
    panel.registerAction.onButton()
    assert view.shown["Button"][:2] == ("Cancel", True) and view.shown["Busy"] is True
    assert "Starting" in view.shown["Progress"][0] and panel.needsPolling
    assert view.shown["RevertEnabled"] is False and view.shown["PlotEnabled"] is False
    # the overlay is in all views at once
    assert layers() == [(volumes[0].GetID(), volumes[1].GetID(), 0.5)] * 2
    run(panel)
    assert view.shown["Button"][:2] == ("Register", True) and view.shown["Busy"] is False
    assert view.shown["Progress"] == ("", None) and not panel.isRunning
    assert parameters.outputTransform is volumes[1].GetParentTransformNode() is not None
    # no estimate: never "aligned"
    assert "CHECK" in view.shown["Result"][0] and "37.4 mm" in view.shown["Result"][1]
    assert view.shown["RevertEnabled"] is True and view.shown["PlotEnabled"] is True
    for _ in range(2):  # the second uses the same nodes
        panel.controllers.pictures.onPlot()
    chart = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLPlotChartNode")
    assert chart.GetTitle() == "Registration of CT" and chart.GetNumberOfPlotSeriesNodes() == 2
    assert chart.GetXAxisTitle() == "Percent of the run" and chart.GetYAxisTitle() == "mm"
    assert chart.GetNthPlotSeriesNode(1).GetName() == "Estimated error"
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLPlotChartNode") == 1
    panel.onRevert()
    assert volumes[1].GetParentTransformNode() is None and parameters.outputTransform is None
    assert layers() == before and view.shown["RevertEnabled"] is False and view.shown["Result"] == ("", "")


def test_the_result_of_a_pair_that_is_no_longer_chosen_is_no_output_of_another(panel, view, volumes):
    """The set of parameters was removed while it ran, and a new one has chosen its own volumes."""
    panel.setParameters(makeParameters(fixedVolume=volumes[0], movingVolume=volumes[1]))
    panel.registerAction.onButton()
    other = makeParameters(fixedVolume=volumes[0], movingVolume=volumes[2])
    panel.setParameters(other)
    run(panel)
    assert other.outputTransform is None and volumes[1].GetParentTransformNode() is not None
    assert view.shown["Button"][:2] == ("Register", True) and view.shown["RevertEnabled"] is True


def test_why_a_registered_pair_cannot_be_registered_again_is_said_once(panel, view, volumes, scene):
    panel.setParameters(makeParameters(fixedVolume=volumes[0], movingVolume=volumes[1]))
    panel.registerAction.onButton()
    run(panel)
    bend = scene.AddNewNodeByClass("vtkMRMLTransformNode", "Bend")
    bend.SetAndObserveTransformToParent(vtk.vtkThinPlateSplineTransform())
    volumes[0].SetAndObserveTransformNodeID(bend.GetID())
    assert "non-linear" in view.shown["Button"][2] and view.shown["Result"] == ("", "")


def test_cancel(panel, view, volumes, client):
    before = layers()
    panel.setParameters(makeParameters(fixedVolume=volumes[0], movingVolume=volumes[1], seed=SLOW))
    panel.registerAction.onButton()
    run(panel, until=lambda: "Searching" in view.shown["Progress"][0])
    assert "estimated error 12.5 mm" in view.shown["Progress"][0] and "s left" in view.shown["Progress"][0]
    assert view.shown["Progress"][1] == 50  # half of what the worker does, which is neither first nor last
    panel.registerAction.onButton()
    assert not panel.isRunning and not client.isStarted
    assert view.shown["Message"] == ("Cancelled: nothing was changed.", False)
    assert view.shown["Button"][0] == "Register" and layers() == before
    assert volumes[1].GetParentTransformNode() is None


def test_a_failure_is_shown_and_the_button_is_back(panel, view, volumes):
    before = layers()
    panel.setParameters(makeParameters(fixedVolume=volumes[0], movingVolume=volumes[1], seed=CRASH))
    panel.registerAction.onButton()
    run(panel)
    text, isError = view.shown["Message"]
    assert isError and "stopped unexpectedly" in text
    assert view.shown["Button"][:2] == ("Register", True) and layers() == before


def test_without_torch_nothing_starts(view, client, volumes):
    def refuse():
        raise InputError("Get PyTorch.")

    panel = Panel(view, client, ensureTorch=refuse)
    panel.setParameters(makeParameters(fixedVolume=volumes[0], movingVolume=volumes[1]))
    panel.registerAction.onButton()
    assert view.shown["Message"] == ("Get PyTorch.", True)
    assert not panel.isRunning and not client.isStarted


def test_an_output_that_cannot_be_used_is_shown(panel, view, volumes, addTransform):
    transform = addTransform(np.eye(4), "Mine")
    volumes[0].SetAndObserveTransformNodeID(transform.GetID())
    panel.setParameters(makeParameters(fixedVolume=volumes[0], movingVolume=volumes[1], outputTransform=transform))
    assert view.shown["Button"][1] is False and "choose another output transform" in view.shown["Button"][2]
    panel.registerAction.onButton()
    assert not panel.isRunning


def test_closing_the_scene_stops_and_forgets(panel, view, volumes, client, scene):
    panel.setParameters(makeParameters(fixedVolume=volumes[0], movingVolume=volumes[1], seed=SLOW))
    panel.registerAction.onButton()
    run(panel, until=lambda: "Searching" in view.shown["Progress"][0])
    panel.onSceneStartClose()
    scene.Clear()
    assert not panel.isRunning and not client.isStarted and not panel.controllers.revert.isPossible
    assert view.shown["Button"][:2] == ("Register", False) and view.shown["InspectionEnabled"] is False
    panel.poll()
    panel.setParameters(makeParameters())
    assert view.shown["Button"][1] is False and "Choose a fixed" in view.shown["Button"][2]


def test_an_initial_transform_that_mirrors_is_refused(panel, view, volumes, addTransform):
    mirror = addTransform(np.diag([-1.0, 1, 1, 1]), "Mirror")
    panel.setParameters(makeParameters(fixedVolume=volumes[0], movingVolume=volumes[1], initialTransform=mirror))
    assert view.shown["Button"][1] is False and '"Mirror" mirrors the moving volume' in view.shown["Button"][2]


def test_an_initial_transform_is_used(panel, volumes, addTransform):
    """The search would not use it; the choice made last is in force."""
    parameters = makeParameters(fixedVolume=volumes[0], movingVolume=volumes[1])
    panel.setParameters(parameters)
    parameters.initialTransform = addTransform(np.eye(4), "Guess")
    panel.update()
    assert parameters.initialization is p.Initialization.NONE and parameters.initialTransform is not None
    parameters.initialization = p.Initialization.CENTER_OF_MASS
    panel.update()
    assert parameters.initialization is p.Initialization.CENTER_OF_MASS and parameters.initialTransform is None


def test_one_volume_chosen_twice_is_watched_once(panel, view, volumes, recwarn):
    """As when one of two volumes was deleted and both selectors take the other."""
    panel.setParameters(makeParameters(fixedVolume=volumes[0], movingVolume=volumes[0]))
    assert "are the same" in view.shown["Button"][2]
    assert [str(one.message) for one in recwarn if "observer" in str(one.message)] == []


def test_volumes_deleted_while_running(panel, view, volumes, scene, client):
    parameters = makeParameters(fixedVolume=volumes[0], movingVolume=volumes[1], seed=SLOW)
    panel.setParameters(parameters)
    panel.registerAction.onButton()
    run(panel, until=lambda: "Searching" in view.shown["Progress"][0])
    parameters.movingVolume = None
    scene.RemoveNode(volumes[1])
    run(panel)
    assert not panel.isRunning and not client.isStarted
    assert scene.GetNumberOfNodesByClass("vtkMRMLTransformNode") == 0


def test_revert_after_saving_and_loading_the_scene(panel, view, volumes, scene, saveAndLoad, addTransform):
    parent = addTransform(np.diag([1.0, 1, 1, 1]) + np.eye(4, k=3) * 7, "Patient")
    volumes[1].SetAndObserveTransformNodeID(parent.GetID())
    panel.setParameters(makeParameters(fixedVolume=volumes[0], movingVolume=volumes[1], measure=p.Measure.NMI))
    panel.registerAction.onButton()
    run(panel)
    assert volumes[1].GetParentTransformNode().GetName() == "CT to MR (MAD)"
    panel.controllers.inspection.errors.onErrorMap(True)
    panel.onSceneStartClose()
    assert view.shown["RevertEnabled"] is False
    loaded = saveAndLoad()
    fixed, moving = (loaded.GetFirstNodeByName(name) for name in ("MR", "CT"))
    parameters = makeParameters(fixedVolume=fixed, movingVolume=moving, outputTransform=moving.GetParentTransformNode())
    panel.setParameters(parameters)
    assert view.shown["RevertEnabled"] is True and view.shown["PlotEnabled"] is False
    assert view.shown["ErrorMap"][0] is True
    panel.onRevert()
    assert moving.GetParentTransformNode() is loaded.GetFirstNodeByName("Patient")
    assert parameters.outputTransform is None and loaded.GetFirstNodeByName("CT to MR (MAD)") is None
    assert view.shown["RevertEnabled"] is False and view.shown["ErrorMap"] == (False, False)
    assert view.shown["Message"] == ("Everything is as it was before the registration.", False)


def test_the_resampled_volume_is_made_as_the_panel_says(panel, volumes, scene):
    resampled = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Resampled")
    values = {"hasFillValue": True, "fillValue": -7.0, "voxelType": p.VoxelType.FLOAT32}
    panel.setParameters(
        makeParameters(fixedVolume=volumes[0], movingVolume=volumes[1], resampledVolume=resampled, **values)
    )
    panel.registerAction.onButton()
    run(panel)
    found = slicer.util.arrayFromVolume(resampled)
    assert found.dtype == np.float32 and (found == -7).any()


def test_an_error_goes_when_another_pair_is_chosen(panel, view, volumes):
    parameters = makeParameters(fixedVolume=volumes[0], movingVolume=volumes[1], seed=BAD_INPUT)
    panel.setParameters(parameters)
    panel.registerAction.onButton()
    run(panel)
    panel.update()
    assert "same value in every voxel" in view.shown["Message"][0]
    parameters.movingVolume = volumes[2]
    panel.update()
    assert view.shown["Message"] == ("", False)
    panel.registerAction.onButton()
    panel.registerAction.onButton()
    parameters.movingVolume = volumes[1]
    panel.update()
    assert "Cancelled" in view.shown["Message"][0]  # no error
