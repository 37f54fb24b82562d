"""The structures of the fixed volume: what the worker gets of them, and their errors as a table."""

import numpy as np
import pytest
import slicer
from doubles import makeParameters, run
from vtk.util.numpy_support import vtk_to_numpy

from madreg.image.geometry import about
from MADRegistrationLib.results import savedregistration, storedreport, structuretable
from MADRegistrationLib.scene.attributes import STRUCTURES
from MADRegistrationLib.scene.matrices import toMatrix
from MADRegistrationLib.scene.ownnodes import isOf

TURN = about(np.array([3.0, -8, 20]), np.array([[0.0, -1, 0], [0.6, 0, -0.8], [0.8, 0, 0.6]]), np.array([5.0, 40, -9]))
EYE, LENS, BRAIN = (slice(0, 3), slice(0, 3), slice(0, 4)), (slice(1, 2),) * 3, (slice(5, 9), slice(4, 10), slice(2, 8))


def columns(table):
    """The columns of a table node by their names."""
    found = {}
    for number in range(table.GetNumberOfColumns()):
        column = table.GetTable().GetColumn(number)
        found[column.GetName()] = [column.GetValue(row) for row in range(column.GetNumberOfTuples())]
    return found


def newestTable(fixed, moving):
    """The newest table of structures of two volumes, if there is one."""
    found = [node for node in structuretable.tables() if isOf(node, fixed, moving)]
    return max(found, key=lambda node: node.GetAttribute(storedreport.TIME), default=None)


@pytest.fixture
def addSegmentation(scene):
    """Function that adds a segmentation of the voxels of a volume: slices of voxels (k, j, i) by their names."""

    def add(volume, segments):
        node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Organs")
        for name, where in segments.items():
            image = slicer.vtkOrientedImageData()
            image.SetDimensions(volume.GetImageData().GetDimensions())
            image.AllocateScalars(3, 1)  # unsigned char
            matrix = toMatrix(np.eye(4))
            volume.GetIJKToRASMatrix(matrix)
            image.SetImageToWorldMatrix(matrix)
            array = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(image.GetDimensions()[::-1])
            array[:] = 0
            array[where] = 1
            segment = slicer.vtkSegment()
            segment.SetName(name)
            segment.AddRepresentation("Binary labelmap", image)
            node.GetSegmentation().AddSegment(segment)
        return node

    return add


@pytest.fixture
def chosen(panel, volumes, addSegmentation, addTransform):
    """MR under a transform that rotates, with a segmentation under the same one, and CT."""
    turn = addTransform(TURN)
    organs = addSegmentation(volumes[0], {"Eye": EYE, "Lens": LENS, "Brain": BRAIN})
    for node in (volumes[0], organs):
        node.SetAndObserveTransformNodeID(turn.GetID())
    parameters = makeParameters(fixedVolume=volumes[0], movingVolume=volumes[1], structures=organs)
    panel.setParameters(parameters)
    return parameters


def test_a_table_lists_error_and_bound_of_each_structure(panel, view, volumes, chosen):
    panel.assessAction.onButton()
    run(panel)
    _, details = view.shown["Result"]
    assert "Lens" in details and "1.2 mm, at most 3.0 mm" in details
    table = newestTable(*volumes[:2])
    found = columns(table)
    assert table.GetName() == "CT to MR assessed structures (MAD)"  # those of a registration have another name
    assert found["Structure"] == ["Eye", "Lens", "Brain"]
    assert found["Volume (ml)"] == ["36.0", "1.0", "144.0"]  # the lens is a part of the eye
    assert found["Mean error (mm)"] == 3 * ["1.2"]
    assert found["Mean error at most, in 95 % of cases (mm)"] == 3 * ["3.0"]
    assert found["Largest local error (mm)"] == 3 * ["unknown"]
    count = slicer.mrmlScene.GetNumberOfNodes()
    panel.assessAction.onButton()
    run(panel)
    assert slicer.mrmlScene.GetNumberOfNodes() == count and newestTable(*volumes[:2]) is table


def test_structures_that_overlap_are_whole(panel, volumes, chosen, addSegmentation):
    """As in radiotherapy: a target, a margin around it, and the body, in whatever order."""
    everywhere = (slice(None),) * 3
    body = addSegmentation(volumes[0], {"Lens": LENS, "Eye": EYE, "Body": everywhere, "Brain": BRAIN})
    body.SetAndObserveTransformNodeID(volumes[0].GetTransformNodeID())
    chosen.structures = body
    panel.assessAction.onButton()
    run(panel)
    found = columns(newestTable(*volumes[:2]))
    assert found["Structure"] == ["Lens", "Eye", "Body", "Brain"]
    assert found["Volume (ml)"] == ["1.0", "36.0", "990.0", "144.0"]
    assert body.GetSegmentation().GetNumberOfLayers("Binary labelmap") == 4  # the user's is as it was


def test_without_structures_there_is_no_table(panel, volumes, chosen):
    panel.assessAction.onButton()
    run(panel)
    chosen.structures = None
    panel.assessAction.onButton()
    run(panel)
    assert newestTable(*volumes[:2]) is None


def test_a_label_map_has_numbers(panel, volumes, addVolume, chosen):
    labels = np.zeros((9, 10, 11), np.int16)
    labels[EYE] = 7
    chosen.structures = addVolume(labels, name="Labels", nodeClass="vtkMRMLLabelMapVolumeNode")
    chosen.structures.SetAndObserveTransformNodeID(volumes[0].GetTransformNodeID())
    panel.assessAction.onButton()
    run(panel)
    assert columns(newestTable(*volumes[:2]))["Structure"] == ["Structure 7"]


@pytest.mark.parametrize("share", [0.6, 1.6])
def test_a_label_map_with_decimals_is_refused(panel, view, volumes, addVolume, chosen, share):
    """As of probabilities, which would be cut off."""
    labels = np.full((9, 10, 11), share, np.float32)
    chosen.structures = addVolume(labels, name="Labels", nodeClass="vtkMRMLLabelMapVolumeNode")
    chosen.structures.SetAndObserveTransformNodeID(volumes[0].GetTransformNodeID())
    panel.assessAction.onButton()
    run(panel)
    assert view.shown["Message"][0].startswith("The segmentation Labels holds numbers with decimals")


@pytest.mark.parametrize("change", ["empty", "elsewhere"])
def test_what_has_no_structures_in_the_fixed_volume_is_refused(panel, view, volumes, addVolume, chosen, change):
    labels = np.full((9, 10, 11), change == "elsewhere", np.int16)
    far = np.eye(4) + 500 * np.eye(4, k=3)
    chosen.structures = addVolume(labels, far, "Labels", "vtkMRMLLabelMapVolumeNode")
    panel.assessAction.onButton()
    run(panel)
    message, isError = view.shown["Message"]
    wanted = "has no structures" if change == "empty" else "No structure of Labels lies in MR"
    assert wanted in message and isError and newestTable(*volumes[:2]) is None


def test_the_table_of_a_registration_goes_with_revert(panel, volumes, chosen):
    panel.registerAction.onButton()
    run(panel)
    assert columns(newestTable(*volumes[:2]))["Structure"] == ["Eye", "Lens", "Brain"]
    panel.onRevert()
    assert newestTable(*volumes[:2]) is None


def test_a_registration_leaves_the_table_of_an_assessment(panel, volumes, chosen):
    panel.assessAction.onButton()
    run(panel)
    table = newestTable(*volumes[:2])
    panel.registerAction.onButton()
    run(panel)
    assert newestTable(*volumes[:2]) is not table and len(structuretable.tables()) == 2
    panel.onRevert()
    assert structuretable.tables() == [table] and columns(table)["Structure"] == ["Eye", "Lens", "Brain"]


@pytest.mark.parametrize("next_one", ["fewer", "none"])
def test_revert_gives_back_the_table_of_an_earlier_result(panel, volumes, chosen, addSegmentation, next_one):
    """Also where the next result had no structures, so that the table left the scene."""
    panel.registerAction.onButton()
    run(panel)
    table, transform = newestTable(*volumes[:2]), volumes[1].GetParentTransformNode()
    before, place = columns(table), table.GetID()
    chosen.structures = addSegmentation(volumes[0], {"Eye": EYE}) if next_one == "fewer" else None
    if chosen.structures is not None:
        chosen.structures.SetAndObserveTransformNodeID(volumes[0].GetTransformNodeID())
    panel.registerAction.onButton()
    run(panel)
    assert volumes[1].GetParentTransformNode() is transform
    found = newestTable(*volumes[:2])
    assert found is None if next_one == "none" else columns(found)["Structure"] == ["Eye"]
    panel.onRevert()
    panel.update()
    while panel.needsPolling:  # what is left over is removed
        panel.poll()
    assert structuretable.tables() == [table] and table.GetID() == place
    assert columns(table) == before and table.GetName() == "CT to MR structures (MAD)"
    assert transform.GetNodeReference(STRUCTURES) is table


def test_a_table_that_the_user_has_removed_stays_away(panel, volumes, chosen, scene):
    panel.registerAction.onButton()
    run(panel)
    scene.RemoveNode(newestTable(*volumes[:2]))
    panel.onRevert()
    assert structuretable.tables() == []


def test_the_table_of_a_saved_scene_goes_with_revert(panel, volumes, chosen, saveAndLoad):
    panel.registerAction.onButton()
    run(panel)
    loaded = saveAndLoad()
    name = "CT to MR structures (MAD)"
    assert loaded.GetFirstNodeByName(name) is not None
    (registration,) = savedregistration.newest()
    registration.revert()
    assert loaded.GetFirstNodeByName(name) is None


def test_the_table_goes_with_the_output_transform(panel, volumes, chosen, scene):
    panel.registerAction.onButton()
    run(panel)
    scene.RemoveNode(volumes[1].GetParentTransformNode())
    while panel.needsPolling:
        panel.poll()
    assert structuretable.tables() == []
