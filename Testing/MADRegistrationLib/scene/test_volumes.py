import numpy as np
import pytest
import slicer
import vtk
from doubles import LEFT_HANDED, OBLIQUE, TURN

from madreg.errors import InputError
from madreg.image.geometry import FLIP_LPS_RAS, Grid, apply
from MADRegistrationLib.scene import volumes, voxels
from MADRegistrationLib.scene.matrices import toArray, toMatrix
from MADRegistrationLib.scene.transforms import toWorld
from MADRegistrationLib.scene.volumes import Image, imageOfVolume, whyNotVolume

SHEAR = np.array([[1.1, 0.2, 0, 5], [0, 0.9, 0.1, 6], [0, 0, 1.3, -2], [0, 0, 0, 1]])

# every scalar type that a volume node can hold
TYPES = ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "float32", "float64"]


def worldOfVoxel(node, index):
    """RAS position in the world of a voxel, by MRML's own classes."""
    ijkToRas = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(ijkToRas)
    point = ijkToRas.MultiplyPoint([*index, 1.0])[:3]
    world = [0.0, 0.0, 0.0]
    node.TransformPointToWorld(point, world)
    return np.array(world)


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("matrix", [OBLIQUE, LEFT_HANDED])
def test_voxels_and_place_pass_without_loss(addVolume, tmp_path, kind, matrix):
    rng = np.random.default_rng(1)
    if kind.startswith("float"):
        array = rng.normal(size=(9, 11, 13)).astype(kind)
        array[0, 0, 0], array[0, 0, 1] = np.nan, np.inf
    else:
        info = np.iinfo(kind)
        array = rng.integers(info.min, info.max, size=(9, 11, 13), dtype=kind, endpoint=True)
    node = addVolume(array, matrix)
    image = imageOfVolume(node)
    for _ in volumes.write(image, tmp_path / "a.npy"):
        pass
    again = np.load(tmp_path / "a.npy", allow_pickle=False)
    assert again.dtype == array.dtype
    np.testing.assert_array_equal(again, array)
    # and the backend finds every voxel where MRML has it, to a micrometre
    grid = Grid.of_image(Grid(array.shape[::-1], image.matrix).as_image(again))
    for index in ([0, 0, 0], [12, 10, 8], [3, 7, 5]):
        expected = FLIP_LPS_RAS[:3, :3] @ worldOfVoxel(node, index)
        assert np.linalg.norm(apply(grid.matrix, np.array(index)) - expected) < 1e-3


def test_large_volumes_are_written_in_pieces(addVolume, tmp_path, monkeypatch):
    monkeypatch.setattr(volumes, "CHUNK_BYTES", 1000)
    array = np.arange(10 * 11 * 12, dtype=np.int16).reshape(10, 11, 12)
    pieces = list(volumes.write(Image("v", array, np.eye(4)), tmp_path / "a.npy"))
    assert len(pieces) == 3
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), array)


@pytest.mark.parametrize("parent", [TURN, SHEAR])
def test_parents_are_part_of_the_place(addVolume, addTransform, parent):
    node = addVolume(np.zeros((4, 5, 6), np.int16), OBLIQUE)
    top = addTransform(SHEAR)
    node.SetAndObserveTransformNodeID(addTransform(parent, parent=top).GetID())
    image = imageOfVolume(node)
    for index in ([0, 0, 0], [5, 4, 3]):
        expected = FLIP_LPS_RAS[:3, :3] @ worldOfVoxel(node, index)
        assert np.linalg.norm(apply(image.matrix, np.array(index)) - expected) < 1e-3


def bend(scene):
    warp = vtk.vtkThinPlateSplineTransform()
    node = scene.AddNewNodeByClass("vtkMRMLTransformNode", "Bend")
    node.SetAndObserveTransformToParent(warp)
    return node


def test_non_linear_parents_are_refused_in_one_sentence(scene, addVolume, addTransform):
    node = addVolume(np.zeros((4, 5, 6), np.int16), name="CT")
    linear = addTransform(TURN)
    linear.SetAndObserveTransformNodeID(bend(scene).GetID())
    node.SetAndObserveTransformNodeID(linear.GetID())
    with pytest.raises(InputError, match='"CT" lies under the non-linear transform "Bend"') as caught:
        imageOfVolume(node)
    assert whyNotVolume(node) == str(caught.value)
    with pytest.raises(InputError, match='"Transform" lies under the non-linear transform "Bend"'):
        toWorld(linear)
    with pytest.raises(InputError, match='"Bend" is not linear'):
        toWorld(linear.GetParentTransformNode())


def test_parents_without_an_inverse_are_refused_in_one_sentence(scene, addVolume, addTransform):
    node = addVolume(np.zeros((4, 5, 6), np.int16), name="CT")
    node.SetAndObserveTransformNodeID(addTransform(np.diag([1.0, 1, 0, 1]), "Flat").GetID())
    with pytest.raises(InputError, match='"Flat" has no inverse') as caught:
        imageOfVolume(node)
    assert whyNotVolume(node) == str(caught.value)


def test_what_is_not_a_scalar_volume_is_refused_with_the_reason(scene, addVolume):
    array = np.zeros((4, 5, 6), np.int16)
    assert whyNotVolume(addVolume(array)) is None
    assert "label map" in whyNotVolume(addVolume(array, nodeClass="vtkMRMLLabelMapVolumeNode"))
    assert "3 numbers per voxel" in whyNotVolume(
        addVolume(np.zeros((4, 5, 6, 3), np.uint8), nodeClass="vtkMRMLVectorVolumeNode")
    )
    assert "2 numbers per voxel" in whyNotVolume(addVolume(np.zeros((4, 5, 6, 2), np.uint8)))
    assert "no voxels" in whyNotVolume(scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode"))
    assert "not a volume" in whyNotVolume(scene.AddNewNodeByClass("vtkMRMLModelNode"))
    assert whyNotVolume(None) == "Choose a volume."


@pytest.mark.parametrize("element", [(0, 3, np.nan), (0, 0, np.inf), (2, 2, 0.0), (1, 1, 0.0)])
def test_a_lattice_without_volume_is_refused_with_the_reason(addVolume, element):
    matrix = np.eye(4)
    matrix[element[0], element[1]] = element[2]
    matrix[0, 1] = 1.0
    node = addVolume(np.zeros((4, 5, 6), np.int16), matrix, "CT")
    assert whyNotVolume(node).startswith('"CT" has voxels without size or place, or axes in one plane: correct')


def test_new_voxels_lie_on_the_fixed_grid(addVolume, addTransform, scene):
    fixed = addVolume(np.zeros((4, 5, 6), np.int16), OBLIQUE)
    fixed.SetAndObserveTransformNodeID(addTransform(TURN).GetID())
    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    array = np.arange(120, dtype=np.float32).reshape(4, 5, 6)
    voxels.setVoxels(node, array, like=fixed)
    np.testing.assert_array_equal(slicer.util.arrayFromVolume(node), array)
    assert np.linalg.norm(worldOfVoxel(node, [5, 4, 3]) - worldOfVoxel(fixed, [5, 4, 3])) < 1e-9


def test_matrices_survive_the_way_to_vtk():
    np.testing.assert_array_equal(toArray(toMatrix(OBLIQUE)), OBLIQUE)
