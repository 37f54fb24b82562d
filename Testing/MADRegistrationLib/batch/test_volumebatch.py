"""Many moving volumes to one fixed one."""

from types import SimpleNamespace

import numpy as np
import slicer
from doubles import SLOW, makeParameters, run

from MADRegistrationLib.batch import batchtable
from MADRegistrationLib.selection import parameters as p


def test_the_table_of_many_has_bounds_and_no_local_errors_of_what_failed(volumes, scene):
    node = scene.AddNewNodeByClass("vtkMRMLTableNode")
    report = {"error_after_mm": 1.0, "bound_mm": 2.25, "worst_mm": 3.5}
    rows = [{**report, "verdict": "check"}, {**report, "verdict": "failed", "bound_mm": None}, {}]
    made = {"moving": volumes[1], "inputs": SimpleNamespace(movingMask=None), "message": "", "state": "new"}
    batchtable.fill(node, [SimpleNamespace(report=one, **made) for one in rows])
    columns = {node.GetColumnName(n): n for n in range(node.GetNumberOfColumns())}
    shown = {name: [node.GetCellText(row, column) for row in range(3)] for name, column in columns.items()}
    assert shown["Error bound (mm)"] == ["2.2", "", ""]
    assert shown["Largest local error (mm)"] == ["3.5", "", ""]


def test_many_volumes_one_after_the_other(panel, view, volumes, scene, addVolume):
    labels = addVolume(np.zeros((4, 5, 6), np.int16), nodeClass="vtkMRMLLabelMapVolumeNode", name="Labels")
    panel.setParameters(makeParameters(fixedVolume=volumes[0]))
    assert view.shown["BatchButton"] == ("Register all", False, "Tick the moving volumes.")
    panel.controllers.batch.volumes = [*volumes, labels]  # the fixed volume itself does not count
    panel.update()
    assert view.shown["BatchButton"][:2] == ("Register 3 volumes", True)
    panel.registerAction.onBatchButton()
    assert view.shown["BatchButton"][1] is False and view.shown["Button"][0] == "Cancel"  # one Cancel
    run(panel)
    assert view.shown["Message"][1] and view.shown["Message"][0].startswith("Labels: ")
    for node in volumes[1:]:
        matrix = slicer.util.arrayFromTransformMatrix(node.GetParentTransformNode())
        np.testing.assert_allclose(matrix[:3, 3], [10, -20, -30], atol=1e-9)
    table = panel.controllers.batch.table
    assert [table.GetCellText(row, 0) for row in range(3)] == ["check", "check", "failed"]
    assert [table.GetCellText(row, 1) for row in range(3)] == ["CT", "PET", "Labels"]
    panel.onRevert()
    assert all(node.GetParentTransformNode() is None for node in volumes)
    assert scene.GetNumberOfNodesByClass("vtkMRMLTransformNode") == 0


def test_cancel_of_many_keeps_what_is_finished(panel, view, volumes):
    parameters = makeParameters(fixedVolume=volumes[0])
    panel.setParameters(parameters)
    panel.controllers.batch.volumes = volumes[1:]
    panel.registerAction.onBatchButton()
    panel.controllers.run.queue.registrations[1].settings = {
        **p.settingsOf(parameters),
        "seed": SLOW,
    }  # will not end by itself
    run(panel, until=lambda: len(panel.controllers.run.queue.done) == 1 and "Searching" in view.shown["Progress"][0])
    assert view.shown["Progress"][0].startswith("2/2")
    panel.registerAction.onButton()
    assert volumes[1].GetParentTransformNode() is not None and volumes[2].GetParentTransformNode() is None
    assert view.shown["Message"] == ("Cancelled: what was finished stays.", False)


def test_masks_of_many_go_by_name(panel, view, volumes, scene, addVolume):
    def mask(name):
        return addVolume(np.ones((9, 10, 11), np.uint8), nodeClass="vtkMRMLLabelMapVolumeNode", name=name)

    fixed, ct, pet = volumes
    own, _tumor, chosen = mask("CT_mask"), mask("CT tumor"), mask("Something else")
    panel.setParameters(makeParameters(fixedVolume=fixed, movingVolume=pet, movingMask=chosen))
    panel.controllers.batch.volumes = [ct, pet]
    panel.update()
    panel.registerAction.onBatchButton()
    run(panel)
    assert [one.inputs.movingMask for one in panel.controllers.run.queue.registrations] == [own, chosen]
    columns = {
        panel.controllers.batch.table.GetColumnName(n): n
        for n in range(panel.controllers.batch.table.GetNumberOfColumns())
    }
    assert panel.controllers.batch.table.GetCellText(0, columns["Moving mask"]) == "CT_mask"
    panel.onRevert()
    panel.setParameters(makeParameters(fixedVolume=fixed))
    segmentation = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "ct Mask")
    panel.registerAction.onBatchButton()
    assert not panel.isRunning and view.shown["Message"][1]
    assert 'could both be the mask of "CT"' in view.shown["Message"][0]
    scene.RemoveNode(segmentation)
    panel.registerAction.onBatchButton()
    run(panel)
    assert [one.inputs.movingMask for one in panel.controllers.run.queue.registrations] == [own, None]
