import ast
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import slicer
import vtk
from doubles import CRASH, SLOW, layers, makeParameters, run

import madreg.settings
from madreg.errors import InputError
from MADRegistrationLib import parameters as p
from MADRegistrationLib import table
from MADRegistrationLib.firstvolumes import chooseFirstVolumes
from MADRegistrationLib.panel import Panel
from MADRegistrationLib.stages import STAGES


def test_why_the_button_is_disabled_stands_below_it(panel, view, volumes, addVolume, scene):
    fixed, moving, _ = volumes
    labels = addVolume(np.zeros((4, 5, 6), np.int16), nodeClass="vtkMRMLLabelMapVolumeNode", name="Labels")
    resampled = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Resampled")
    expected = [
        (None, False, "no scene"),
        (makeParameters(), False, "Choose a fixed and a moving volume."),
        (makeParameters(fixedVolume=fixed), False, "Choose a fixed and a moving volume."),
        (makeParameters(fixedVolume=fixed, movingVolume=fixed), False, "the same"),
        (makeParameters(fixedVolume=labels, movingVolume=moving), False, "label map"),
        (makeParameters(fixedVolume=fixed, movingVolume=labels), False, "label map"),
        (makeParameters(fixedVolume=fixed, movingVolume=moving, resampledVolume=fixed), False, "overwritten"),
        (
            makeParameters(
                fixedVolume=fixed,
                movingVolume=moving,
                resampledVolume=resampled,
                hasFillValue=True,
                fillValue=-40000.0,
            ),
            False,
            "cannot hold the fill value -40000",
        ),
        (makeParameters(fixedVolume=fixed, movingVolume=moving), True, ""),
    ]
    for parameters, isEnabled, reason in expected:
        panel.setParameters(parameters)
        assert view.shown["Button"][:2] == ("Register", isEnabled)
        assert reason in view.shown["Button"][2] and bool(reason) != isEnabled


def test_a_new_set_of_parameters_begins_with_the_first_two_scans(scene, addVolume, volumes):
    scene.RemoveNode(volumes[0])
    addVolume(np.zeros((4, 5, 6), np.int16), nodeClass="vtkMRMLLabelMapVolumeNode", name="Labels")
    chooseFirstVolumes(parameters := makeParameters())
    assert (parameters.fixedVolume, parameters.movingVolume) == (volumes[1], volumes[2])
    chooseFirstVolumes(parameters := makeParameters(movingVolume=volumes[1]))
    assert parameters.fixedVolume is None
    scene.RemoveNode(volumes[1])
    chooseFirstVolumes(parameters := makeParameters())
    assert parameters.movingVolume is None


def test_register_runs_and_the_button_is_cancel_meanwhile(panel, view, volumes):
    before = layers()
    parameters = makeParameters(fixedVolume=volumes[0], movingVolume=volumes[1])
    panel.setParameters(parameters)
    panel.registering.onButton()
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
        panel.parts.pictures.onPlot()
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
    panel.registering.onButton()
    other = makeParameters(fixedVolume=volumes[0], movingVolume=volumes[2])
    panel.setParameters(other)
    run(panel)
    assert other.outputTransform is None and volumes[1].GetParentTransformNode() is not None
    assert view.shown["Button"][:2] == ("Register", True) and view.shown["RevertEnabled"] is True


def test_why_a_registered_pair_cannot_be_registered_again_is_said_once(panel, view, volumes, scene):
    panel.setParameters(makeParameters(fixedVolume=volumes[0], movingVolume=volumes[1]))
    panel.registering.onButton()
    run(panel)
    bend = scene.AddNewNodeByClass("vtkMRMLTransformNode", "Bend")
    bend.SetAndObserveTransformToParent(vtk.vtkThinPlateSplineTransform())
    volumes[0].SetAndObserveTransformNodeID(bend.GetID())
    assert "non-linear" in view.shown["Button"][2] and view.shown["Result"] == ("", "")


def test_the_device_list_shows_what_the_worker_found(panel, view, volumes):
    parameters = makeParameters(fixedVolume=volumes[0], movingVolume=volumes[1], device="cuda:1")
    panel.setParameters(parameters)
    choices, current = view.shown["Devices"]
    assert [name for name, _ in choices] == ["auto", "cpu", "cuda:1"] and current == "cuda:1"
    panel.registering.onButton()
    run(panel)
    assert ("cpu", "CPU, 8 threads") in view.shown["Devices"][0]


def test_cancel(panel, view, volumes, client):
    before = layers()
    panel.setParameters(makeParameters(fixedVolume=volumes[0], movingVolume=volumes[1], seed=SLOW))
    panel.registering.onButton()
    run(panel, until=lambda: "Searching" in view.shown["Progress"][0])
    assert "estimated error 12.5 mm" in view.shown["Progress"][0] and "s left" in view.shown["Progress"][0]
    assert view.shown["Progress"][1] == 50  # half of what the worker does, which is neither first nor last
    panel.registering.onButton()
    assert not panel.isRunning and not client.isStarted
    assert view.shown["Message"] == ("Cancelled: nothing was changed.", False)
    assert view.shown["Button"][0] == "Register" and layers() == before
    assert volumes[1].GetParentTransformNode() is None


def test_a_failure_is_shown_and_the_button_is_back(panel, view, volumes):
    before = layers()
    panel.setParameters(makeParameters(fixedVolume=volumes[0], movingVolume=volumes[1], seed=CRASH))
    panel.registering.onButton()
    run(panel)
    text, isError = view.shown["Message"]
    assert isError and "stopped unexpectedly" in text
    assert view.shown["Button"][:2] == ("Register", True) and layers() == before


def test_without_torch_nothing_starts(view, client, volumes):
    def refuse():
        raise InputError("Get PyTorch.")

    panel = Panel(view, client, ensureTorch=refuse)
    panel.setParameters(makeParameters(fixedVolume=volumes[0], movingVolume=volumes[1]))
    panel.registering.onButton()
    assert view.shown["Message"] == ("Get PyTorch.", True)
    assert not panel.isRunning and not client.isStarted


def test_an_output_that_cannot_be_used_is_shown(panel, view, volumes, addTransform):
    transform = addTransform(np.eye(4), "Mine")
    volumes[0].SetAndObserveTransformNodeID(transform.GetID())
    panel.setParameters(makeParameters(fixedVolume=volumes[0], movingVolume=volumes[1], outputTransform=transform))
    assert view.shown["Button"][1] is False and "choose another output transform" in view.shown["Button"][2]
    panel.registering.onButton()
    assert not panel.isRunning


def test_closing_the_scene_stops_and_forgets(panel, view, volumes, client, scene):
    panel.setParameters(makeParameters(fixedVolume=volumes[0], movingVolume=volumes[1], seed=SLOW))
    panel.registering.onButton()
    run(panel, until=lambda: "Searching" in view.shown["Progress"][0])
    panel.onSceneStartClose()
    scene.Clear()
    assert not panel.isRunning and not client.isStarted and not panel.parts.revert.isPossible
    assert view.shown["Button"][:2] == ("Register", False) and view.shown["InspectionEnabled"] is False
    panel.poll()
    panel.setParameters(makeParameters())
    assert view.shown["Button"][1] is False and "Choose a fixed" in view.shown["Button"][2]


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
    panel.registering.onButton()
    run(panel, until=lambda: "Searching" in view.shown["Progress"][0])
    parameters.movingVolume = None
    scene.RemoveNode(volumes[1])
    run(panel)
    assert not panel.isRunning and not client.isStarted
    assert scene.GetNumberOfNodesByClass("vtkMRMLTransformNode") == 0


def test_the_table_of_many_has_bounds_and_no_local_errors_of_what_failed(volumes, scene):
    node = scene.AddNewNodeByClass("vtkMRMLTableNode")
    report = {"error_after_mm": 1.0, "bound_mm": 2.25, "worst_mm": 3.5}
    rows = [{**report, "verdict": "check"}, {**report, "verdict": "failed", "bound_mm": None}, {}]
    made = {"moving": volumes[1], "inputs": SimpleNamespace(movingMask=None), "message": "", "state": "new"}
    table.fill(node, [SimpleNamespace(report=one, **made) for one in rows])
    columns = {node.GetColumnName(n): n for n in range(node.GetNumberOfColumns())}
    shown = {name: [node.GetCellText(row, column) for row in range(3)] for name, column in columns.items()}
    assert shown["Error bound (mm)"] == ["2.2", "", ""]
    assert shown["Largest local error (mm)"] == ["3.5", "", ""]


def test_many_volumes_one_after_the_other(panel, view, volumes, scene, addVolume):
    labels = addVolume(np.zeros((4, 5, 6), np.int16), nodeClass="vtkMRMLLabelMapVolumeNode", name="Labels")
    panel.setParameters(makeParameters(fixedVolume=volumes[0]))
    assert view.shown["BatchButton"] == ("Register all", False, "Tick the moving volumes.")
    panel.parts.batch.volumes = [*volumes, labels]  # the fixed volume itself does not count
    panel.update()
    assert view.shown["BatchButton"][:2] == ("Register 3 volumes", True)
    panel.registering.onBatchButton()
    assert view.shown["BatchButton"][1] is False and view.shown["Button"][0] == "Cancel"  # one Cancel
    run(panel)
    assert view.shown["Message"][1] and view.shown["Message"][0].startswith("Labels: ")
    for node in volumes[1:]:
        matrix = slicer.util.arrayFromTransformMatrix(node.GetParentTransformNode())
        np.testing.assert_allclose(matrix[:3, 3], [10, -20, -30], atol=1e-9)
    table = panel.parts.batch.table
    assert [table.GetCellText(row, 0) for row in range(3)] == ["check", "check", "failed"]
    assert [table.GetCellText(row, 1) for row in range(3)] == ["CT", "PET", "Labels"]
    panel.onRevert()
    assert all(node.GetParentTransformNode() is None for node in volumes)
    assert scene.GetNumberOfNodesByClass("vtkMRMLTransformNode") == 0


def test_cancel_of_many_keeps_what_is_finished(panel, view, volumes):
    parameters = makeParameters(fixedVolume=volumes[0])
    panel.setParameters(parameters)
    panel.parts.batch.volumes = volumes[1:]
    panel.registering.onBatchButton()
    panel.parts.run.queue.registrations[1].settings = {
        **p.settingsOf(parameters),
        "seed": SLOW,
    }  # will not end by itself
    run(panel, until=lambda: len(panel.parts.run.queue.done) == 1 and "Searching" in view.shown["Progress"][0])
    assert view.shown["Progress"][0].startswith("2/2")
    panel.registering.onButton()
    assert volumes[1].GetParentTransformNode() is not None and volumes[2].GetParentTransformNode() is None
    assert view.shown["Message"] == ("Cancelled: what was finished stays.", False)


def test_blend_and_flicker(panel, view, volumes):
    fixed, moving, _ = (node.GetID() for node in volumes)
    panel.setParameters(makeParameters(fixedVolume=volumes[0], movingVolume=volumes[1]))
    assert view.shown["InspectionEnabled"] is True
    panel.parts.inspection.blending.onOpacity(0.25)
    assert layers() == [(fixed, moving, 0.25)] * 2 and view.shown["Opacity"] == 0.25
    panel.parts.inspection.blending.onFlickerToggled(True)
    panel.parts.inspection.blending.onFlick()
    assert layers() == [(fixed, moving, 1.0)] * 2 and view.shown["Opacity"] == 1.0
    panel.parts.inspection.blending.onFlick()
    assert layers() == [(fixed, moving, 0.0)] * 2
    panel.parts.inspection.blending.onFlickerToggled(False)
    assert layers() == [(fixed, moving, 0.25)] * 2 and view.shown["Opacity"] == 0.25


def test_a_pair_brought_into_view_is_seen(panel, view, volumes):
    """A slice view that never had a foreground would show it with an opacity of 0."""
    assert {opacity for _, _, opacity in layers()} == {0.0}
    panel.setParameters(makeParameters(fixedVolume=volumes[0], movingVolume=volumes[1]))
    panel.parts.inspection.onColors(True)
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
    panel.registering.onButton()
    assert view.shown["ErrorMap"] == (False, False)
    run(panel)
    assert view.shown["ErrorMap"] == (True, False)  # there, but not shown before it is asked for
    panel.parts.inspection.errors.onErrorMap(True)
    panel.update()
    assert view.shown["ErrorMap"] == (True, True)
    node = scene.GetFirstNodeByName("CT to MR error (MAD)")
    composite = slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")
    assert {n.GetLabelVolumeID() for n in composite} == {node.GetID()}
    assert layers() == [(fixed.GetID(), moving.GetID(), 0.5)] * 2
    panel.parts.inspection.errors.onWorst()
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
    panel.parts.inspection.errors.onErrorMap(True)
    panel.onRevert()
    assert view.shown["ErrorMap"] == (False, False) and {n.GetLabelVolumeID() for n in composite} == {None}
    assert scene.GetFirstNodeByName("CT to MR error (MAD)") is None


def test_a_new_run_hides_the_old_error_map(panel, view, volumes):
    parameters = makeParameters(fixedVolume=volumes[0], movingVolume=volumes[1], measure=p.Measure.NMI)
    panel.setParameters(parameters)
    panel.registering.onButton()
    run(panel)
    panel.parts.inspection.errors.onErrorMap(True)
    parameters.seed = SLOW
    panel.registering.onButton()
    assert {n.GetLabelVolumeID() for n in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")} == {None}
    panel.registering.onButton()
    assert view.shown["ErrorMap"] == (True, False)  # cancelled: the old result is there again


def test_revert_after_saving_and_loading_the_scene(panel, view, volumes, scene, saveAndLoad, addTransform):
    parent = addTransform(np.diag([1.0, 1, 1, 1]) + np.eye(4, k=3) * 7, "Patient")
    volumes[1].SetAndObserveTransformNodeID(parent.GetID())
    panel.setParameters(makeParameters(fixedVolume=volumes[0], movingVolume=volumes[1], measure=p.Measure.NMI))
    panel.registering.onButton()
    run(panel)
    assert volumes[1].GetParentTransformNode().GetName() == "CT to MR (MAD)"
    panel.parts.inspection.errors.onErrorMap(True)
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


def test_masks_of_many_go_by_name(panel, view, volumes, scene, addVolume):
    def mask(name):
        return addVolume(np.ones((9, 10, 11), np.uint8), nodeClass="vtkMRMLLabelMapVolumeNode", name=name)

    fixed, ct, pet = volumes
    own, _tumor, chosen = mask("CT_mask"), mask("CT tumor"), mask("Something else")
    panel.setParameters(makeParameters(fixedVolume=fixed, movingVolume=pet, movingMask=chosen))
    panel.parts.batch.volumes = [ct, pet]
    panel.update()
    panel.registering.onBatchButton()
    run(panel)
    assert [one.inputs.movingMask for one in panel.parts.run.queue.registrations] == [own, chosen]
    columns = {panel.parts.batch.table.GetColumnName(n): n for n in range(panel.parts.batch.table.GetNumberOfColumns())}
    assert panel.parts.batch.table.GetCellText(0, columns["Moving mask"]) == "CT_mask"
    panel.onRevert()
    panel.setParameters(makeParameters(fixedVolume=fixed))
    segmentation = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "ct Mask")
    panel.registering.onBatchButton()
    assert not panel.isRunning and view.shown["Message"][1]
    assert 'could both be the mask of "CT"' in view.shown["Message"][0]
    scene.RemoveNode(segmentation)
    panel.registering.onBatchButton()
    run(panel)
    assert [one.inputs.movingMask for one in panel.parts.run.queue.registrations] == [own, None]


def test_the_checkerboard_is_a_volume_in_the_views_and_goes_by_the_same_toggle(panel, view, volumes, scene):
    panel.setParameters(makeParameters(fixedVolume=volumes[0], movingVolume=volumes[1]))
    for _ in range(2):  # the second overwrites the first
        panel.parts.pictures.onCheckerboard(True)
        assert view.shown["Button"][0] == "Cancel"
        run(panel)
        assert view.shown["Message"] == ("", False) and view.shown["Pictures"] == (False, False, True)
    assert scene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode") == 4
    node = scene.GetFirstNodeByName("Checkerboard of CT and MR")
    assert slicer.util.arrayFromVolume(node).shape == (9, 10, 11)
    assert layers() == [(node.GetID(), None, 0.5)] * 2
    panel.parts.pictures.onCheckerboard(False)
    assert layers() == [(volumes[0].GetID(), volumes[1].GetID(), 0.5)] * 2
    assert view.shown["Pictures"] == (False, False, False)


def test_a_volume_of_the_users_is_not_overwritten_by_the_checkerboard(panel, volumes, scene, addVolume):
    mine = addVolume(np.full((4, 5, 6), 7, np.int16), name="Checkerboard of CT and MR")
    panel.setParameters(makeParameters(fixedVolume=volumes[0], movingVolume=volumes[1]))
    panel.parts.pictures.onCheckerboard(True)
    run(panel)
    assert scene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode") == 5
    assert (slicer.util.arrayFromVolume(mine) == 7).all() and mine.GetAttribute("MADRegistration.Made") is None


def test_a_comparison_can_be_cancelled(panel, view, volumes, client, scene):
    panel.setParameters(makeParameters(fixedVolume=volumes[0], movingVolume=volumes[1]))
    panel.parts.pictures.onCheckerboard(True)
    panel.registering.onButton()
    assert not panel.isRunning and not client.isStarted and view.shown["Button"][0] == "Register"
    assert scene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode") == 3


def test_the_choices_are_the_backends():
    settings = pytest.importorskip("madreg.settings", reason="needs torch")
    for kind in p.TransformType:
        for start in p.Initialization:
            for measure in p.Measure:
                parameters = makeParameters(transformType=kind, initialization=start, measure=measure)
                settings.Settings(**p.settingsOf(parameters)).check()
                assert kind.label() and start.label() and measure.label()


def test_the_choices_of_resampling_are_the_backends():
    for interpolation, kind in zip(p.Interpolation, p.VoxelType, strict=False):
        assert interpolation.label() and kind.label()
    assert tuple(one.value for one in p.Interpolation) == madreg.settings.INTERPOLATION.values
    assert tuple(one.value for one in p.VoxelType) == madreg.settings.VOXEL_TYPE.values
    parameters = makeParameters(fillValue=-5.0)
    assert p.resamplingOf(parameters) == madreg.settings.Resampling()
    parameters.hasFillValue = True
    assert p.resamplingOf(parameters) == madreg.settings.Resampling(fill=-5.0)


def test_the_resampled_volume_is_made_as_the_panel_says(panel, volumes, scene):
    resampled = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Resampled")
    values = {"hasFillValue": True, "fillValue": -7.0, "voxelType": p.VoxelType.FLOAT32}
    panel.setParameters(
        makeParameters(fixedVolume=volumes[0], movingVolume=volumes[1], resampledVolume=resampled, **values)
    )
    panel.registering.onButton()
    run(panel)
    found = slicer.util.arrayFromVolume(resampled)
    assert found.dtype == np.float32 and (found == -7).any()


def test_every_stage_of_the_pipeline_has_words():
    """Every name of a stage is a string in the backend's pipeline or descent."""
    backend = Path(madreg.__file__).parent
    files = [path for folder in ("pipeline", "descent") for path in (backend / folder).glob("*.py")]
    nodes = [node for path in files for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))]
    strings = {node.value for node in nodes if isinstance(node, ast.Constant)}
    assert set(STAGES) - {"preparing", "starting", "finishing", "files"} <= strings
