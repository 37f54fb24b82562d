"""Masks become arrays that lie where the masks lie."""

import numpy as np
import pytest
import slicer
import vtk
from doubles import LEFT_HANDED, OBLIQUE, TURN
from vtk.util.numpy_support import numpy_to_vtk

from madreg.errors import InputError
from madreg.image.geometry import FLIP_LPS_RAS, apply
from MADRegistrationLib.scene import masks
from MADRegistrationLib.scene.volumes import Image


def addSegmentation(scene, array, ijkToRas):
    """A segmentation with the labels 1 and 2 of an array as its segments."""
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Mask")
    for label in (1, 2):
        image = slicer.vtkOrientedImageData()
        image.SetDimensions(array.shape[::-1])
        image.GetPointData().SetScalars(numpy_to_vtk((array == label).astype(np.uint8).ravel(), deep=True))
        matrix = vtk.vtkMatrix4x4()
        matrix.DeepCopy(np.asarray(ijkToRas).ravel().tolist())
        image.SetImageToWorldMatrix(matrix)
        segment = slicer.vtkSegment()
        segment.SetName(f"Part {label}")
        segment.AddRepresentation(
            slicer.vtkSegmentationConverter.GetSegmentationBinaryLabelmapRepresentationName(), image
        )
        node.GetSegmentation().AddSegment(segment)
    return node


@pytest.mark.parametrize("matrix", [OBLIQUE, LEFT_HANDED])
def test_a_segmentation_is_all_of_its_segments_where_they_are(scene, addTransform, matrix):
    array = np.zeros((14, 15, 16), np.uint8)
    array[3:6, 4:8, 5:9] = 1
    array[9:12, 8:12, 7:11] = 2
    # directions without shear: an oriented image data holds no other
    q, _ = np.linalg.qr(matrix[:3, :3])
    matrix = matrix.copy()
    matrix[:3, :3] = q @ np.diag([0.8, 1.2, 2.5])
    node = addSegmentation(scene, array, matrix)
    node.SetAndObserveTransformNodeID(addTransform(TURN).GetID())
    image = masks.imageOf(node)
    inside = np.argwhere(image.array > 0)[:, ::-1]
    assert len(inside) == (array > 0).sum()
    found = apply(image.matrix, inside)
    wanted = apply(FLIP_LPS_RAS @ TURN @ matrix, np.argwhere(array > 0)[:, ::-1])
    distance = np.linalg.norm(found[:, None] - wanted[None], axis=-1)
    assert distance.min(0).max() < 1e-3


def test_empty_masks_are_refused(scene, addVolume):
    with pytest.raises(InputError, match='mask "Mask" is empty'):
        masks.imageOf(scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Mask"))
    with pytest.raises(InputError, match="is empty"):
        masks.imageOf(addVolume(np.zeros((4, 5, 6), np.uint8), nodeClass="vtkMRMLLabelMapVolumeNode"))


def test_a_small_mask_on_many_voxels_is_looked_at():

    array = np.zeros((200, 200, 200), np.uint8)
    array[101, 101, 101] = 1
    inside = Image("CT", np.zeros((200, 200, 200), np.uint8), np.eye(4))
    masks.checkInside(Image("Mask", array, np.eye(4)), inside)
    away = np.eye(4)
    away[0, 3] = 150
    with pytest.raises(InputError, match="0 % of it is inside"):
        masks.checkInside(Image("Mask", array, away), inside)
