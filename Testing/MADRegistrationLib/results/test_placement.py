import numpy as np
import pytest
import slicer
from doubles import OBLIQUE, TURN

from madreg.errors import InputError
from madreg.image.geometry import FLIP_LPS_RAS, about, apply
from MADRegistrationLib.results.formerplacement import FormerPlacement
from MADRegistrationLib.results.placement import Placement
from MADRegistrationLib.scene.outputtransform import transformName
from MADRegistrationLib.scene.transforms import ancestors, parentToWorld
from MADRegistrationLib.scene.volumes import imageOfVolume

SHEAR = np.array([[1.1, 0.2, 0, 5], [0, 0.9, 0.1, 6], [0, 0, 1.3, -2], [0, 0, 0, 1]])


def rotation(axis, degrees):
    x, y, z = np.asarray(axis) / np.linalg.norm(axis)
    skew = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    angle = np.radians(degrees)
    return np.eye(3) + np.sin(angle) * skew + (1 - np.cos(angle)) * skew @ skew


FIXED_TO_MOVING = about(np.array([10.0, -20, 30]), rotation([1, 2, 3], 70), np.array([25.0, -60, 44]))


def landmarks(node):
    """World positions (5, 3), LPS mm, of a few voxels of a volume."""
    return apply(imageOfVolume(node).matrix, np.array([[0, 0, 0], [5, 0, 0], [0, 4, 0], [0, 0, 3], [5, 4, 3]]))


def valuesInWorld(node):
    """World position of the voxel with the value 0, 1, 2 ... (Slicer may store left-handed voxels mirrored)."""
    image = imageOfVolume(node)
    order = np.argsort(image.array, axis=None)
    return apply(image.matrix, np.stack(np.unravel_index(order, image.array.shape)[::-1], -1))


def chain(scene, node):
    """All that a registration may change above a node, for comparing before and after."""
    state = []
    while node is not None:
        state.append(
            (
                node.GetID(),
                node.GetName(),
                node.GetTransformNodeID(),
                parentToWorld(node).tolist(),
                sorted(node.GetAttributeNames()),
                [node.GetNodeReferenceID(role) for role in ("spatialRegistrationFixed", "spatialRegistrationMoving")],
            )
        )
        node = node.GetParentTransformNode()
    return state, scene.GetNumberOfNodes()


@pytest.fixture(params=["none", "one", "chain", "shared with fixed"])
def pair(request, addVolume, addTransform):
    """Fixed and moving volume under the parents that users have."""
    fixed = addVolume(np.zeros((4, 5, 6), np.int16), OBLIQUE, "MR")
    moving = addVolume(np.zeros((4, 5, 6), np.int16), np.diag([-1.0, 1, 1, 1]) @ OBLIQUE, "CT")
    if request.param == "one":
        moving.SetAndObserveTransformNodeID(addTransform(TURN).GetID())
    elif request.param == "chain":
        moving.SetAndObserveTransformNodeID(addTransform(TURN, parent=addTransform(SHEAR)).GetID())
        fixed.SetAndObserveTransformNodeID(addTransform(SHEAR).GetID())
    elif request.param == "shared with fixed":
        parent = addTransform(SHEAR)
        fixed.SetAndObserveTransformNodeID(parent.GetID())
        moving.SetAndObserveTransformNodeID(parent.GetID())
    return fixed, moving


def test_moving_points_end_on_their_fixed_ones(scene, pair):
    fixed, moving = pair
    before, fixedBefore = landmarks(moving), landmarks(fixed)
    placement = Placement(fixed, moving)
    placement.show(FIXED_TO_MOVING)
    # the moving point T x must be seen at the fixed point x
    wanted = apply(np.linalg.inv(FIXED_TO_MOVING), before)
    assert np.linalg.norm(landmarks(moving) - wanted, axis=1).max() < 1e-6
    np.testing.assert_array_equal(landmarks(fixed), fixedBefore)
    assert placement.transform.GetName() == "CT to MR (MAD)" == transformName(fixed, moving)


def test_former_parents_stay_in_the_chain(scene, pair):
    fixed, moving = pair
    former = moving.GetParentTransformNode()
    Placement(fixed, moving).show(FIXED_TO_MOVING)
    assert moving.GetParentTransformNode().GetParentTransformNode() is former


def test_restore_is_exact(scene, pair):
    fixed, moving = pair
    before = chain(scene, moving), chain(scene, fixed)
    placement = Placement(fixed, moving)
    for _ in range(3):
        placement.show(FIXED_TO_MOVING)
    placement.sign({"Version": "1"})
    placement.restore()
    assert (chain(scene, moving), chain(scene, fixed)) == before


def test_registering_again_composes_in_the_same_node(scene, pair):
    fixed, moving = pair
    before = landmarks(moving)
    first = Placement(fixed, moving)
    first.show(FIXED_TO_MOVING)
    first.sign({"Version": "1", "ErrorAfter": "3"})
    between, nodes = chain(scene, moving), scene.GetNumberOfNodes()
    second = about(np.zeros(3), rotation([0, 0, 1], 10), np.array([1.0, 2, 3]))
    again = Placement(fixed, moving, first.transform)
    again.show(second)
    again.sign({"Version": "2"})
    wanted = apply(np.linalg.inv(FIXED_TO_MOVING @ second), before)
    assert np.linalg.norm(landmarks(moving) - wanted, axis=1).max() < 1e-6
    assert scene.GetNumberOfNodes() == nodes
    again.restore()
    assert chain(scene, moving) == between
    assert first.transform.GetAttribute("MADRegistration.Version") == "1"


def test_an_output_that_was_elsewhere_is_taken_and_given_back(scene, pair, addTransform):
    fixed, moving = pair
    other = addTransform(SHEAR, "Mine", parent=addTransform(TURN, "Above"))
    before, place = (chain(scene, moving), chain(scene, other)), landmarks(moving)
    placement = Placement(fixed, moving, other)
    placement.show(FIXED_TO_MOVING)
    placement.sign({"Version": "1"})
    wanted = apply(np.linalg.inv(FIXED_TO_MOVING), place)
    assert np.linalg.norm(landmarks(moving) - wanted, axis=1).max() < 1e-6
    placement.restore()
    assert (chain(scene, moving), chain(scene, other)) == before


def test_outputs_that_would_move_the_fixed_volume_are_refused(scene, addVolume, addTransform):
    fixed, moving = addVolume(np.zeros((4, 5, 6)), name="MR"), addVolume(np.zeros((4, 5, 6)), name="CT")
    top = addTransform(TURN, "Top")
    near = addTransform(TURN, "Near", parent=top)
    moving.SetAndObserveTransformNodeID(near.GetID())
    with pytest.raises(InputError, match="already stands above"):
        Placement(fixed, moving, top)
    fixed.SetAndObserveTransformNodeID(near.GetID())
    with pytest.raises(InputError, match="would be moved with it"):
        Placement(fixed, moving, near)


def test_restore_after_the_nodes_are_gone(scene, pair):
    fixed, moving = pair
    placement = Placement(fixed, moving)
    placement.show(FIXED_TO_MOVING)
    scene.RemoveNode(placement.transform)
    placement.restore()
    scene.RemoveNode(moving)
    placement.restore()
    assert scene.GetNodesByClass("vtkMRMLScalarVolumeNode").GetNumberOfItems() == 1


def test_place_and_history_survive_saving_the_scene(saveAndLoad, pair):
    fixed, moving = pair
    slicer.util.arrayFromVolume(moving)[:] = np.arange(120).reshape(4, 5, 6)
    placement = Placement(fixed, moving)
    placement.show(FIXED_TO_MOVING)
    settings = '{"type": "rigid", "init": "search", "seed": 0}'
    placement.sign({"Version": "0.1.0", "Settings": settings, "ErrorAfter": "1.25"})
    place = valuesInWorld(moving)
    moving = saveAndLoad().GetFirstNodeByName("CT")
    transform = moving.GetParentTransformNode()
    assert np.linalg.norm(valuesInWorld(moving) - place, axis=1).max() < 1e-3
    assert transform.GetAttribute("MADRegistration.Settings") == settings
    assert transform.GetAttribute("MADRegistration.ErrorAfter") == "1.25"
    assert transform.GetNodeReference("spatialRegistrationFixed").GetName() == "MR"
    assert transform.GetNodeReference("spatialRegistrationMoving").GetName() == "CT"


def test_restore_after_saving_and_loading(saveAndLoad, pair):
    fixed, moving = pair
    slicer.util.arrayFromVolume(moving)[:] = np.arange(120).reshape(4, 5, 6)
    before, parents = valuesInWorld(moving), [node.GetName() for node in ancestors(moving)]
    placement = Placement(fixed, moving)
    placement.show(FIXED_TO_MOVING)
    placement.sign({"Version": "1"})
    loaded = saveAndLoad()
    moving = loaded.GetFirstNodeByName("CT")
    result = moving.GetParentTransformNode()
    assert np.linalg.norm(valuesInWorld(moving) - before, axis=1).max() > 10
    FormerPlacement.read(result).restore(result)
    assert np.linalg.norm(valuesInWorld(moving) - before, axis=1).max() < 1e-3
    assert [node.GetName() for node in ancestors(moving)] == parents and result.GetScene() is None


def test_restore_after_registering_again_saving_and_loading(saveAndLoad, pair, addTransform):
    """The output was there before: once as the result of an earlier registration, and once as the user's own."""
    fixed, moving = pair
    slicer.util.arrayFromVolume(moving)[:] = np.arange(120).reshape(4, 5, 6)
    own = addTransform(SHEAR, "Mine", parent=addTransform(TURN, "Above"))
    first = Placement(fixed, moving, own)
    first.show(FIXED_TO_MOVING)
    first.sign({"Version": "1"})
    between, parents = valuesInWorld(moving), [node.GetName() for node in ancestors(moving)]
    again = Placement(fixed, moving, own)
    again.show(about(np.zeros(3), rotation([0, 0, 1], 40), np.array([30.0, 2, 3])))
    again.sign({"Version": "2", "More": "x"})
    result = saveAndLoad().GetFirstNodeByName("Mine")
    moving = result.GetNodeReference("spatialRegistrationMoving")
    assert np.linalg.norm(valuesInWorld(moving) - between, axis=1).max() > 10
    FormerPlacement.read(result).restore(result)
    assert np.linalg.norm(valuesInWorld(moving) - between, axis=1).max() < 1e-3
    assert [node.GetName() for node in ancestors(moving)] == parents
    assert result.GetAttribute("MADRegistration.Version") == "1" and not result.GetAttribute("MADRegistration.More")
    assert result.GetNodeReference("spatialRegistrationMoving") is moving
    assert FormerPlacement.read(result) is None  # a loaded scene goes back one step


def test_an_output_of_the_users_own_comes_back_after_saving_and_loading(saveAndLoad, pair, addTransform):
    fixed, moving = pair
    above = addTransform(TURN, "Above")
    own = addTransform(SHEAR, "Mine", parent=above)
    placement = Placement(fixed, moving, own)
    placement.show(FIXED_TO_MOVING)
    placement.sign({"Version": "1"})
    loaded = saveAndLoad()
    own = loaded.GetFirstNodeByName("Mine")
    FormerPlacement.read(own).restore(own)
    assert own.GetParentTransformNode() is loaded.GetFirstNodeByName("Above")
    np.testing.assert_allclose(slicer.util.arrayFromTransformMatrix(own), SHEAR, atol=1e-9)
    assert not [name for name in own.GetAttributeNames() if name.startswith("MADRegistration.")]
    assert own.GetNodeReference("spatialRegistrationMoving") is None


def test_there_is_no_going_back_for_a_volume_taken_out(scene, pair):
    fixed, moving = pair
    placement = Placement(fixed, moving)
    placement.show(FIXED_TO_MOVING)
    placement.sign({"Version": "1"})
    assert FormerPlacement.read(placement.transform).moving is moving
    moving.SetAndObserveTransformNodeID(None)
    assert FormerPlacement.read(placement.transform) is None


def test_the_matrix_is_the_ras_to_parent_of_the_world(addVolume):
    fixed, moving = addVolume(np.zeros((4, 5, 6))), addVolume(np.zeros((4, 5, 6)))
    placement = Placement(fixed, moving)
    placement.show(FIXED_TO_MOVING)
    toParent = slicer.util.arrayFromTransformMatrix(placement.transform)
    np.testing.assert_allclose(toParent, np.linalg.inv(FLIP_LPS_RAS @ FIXED_TO_MOVING @ FLIP_LPS_RAS), atol=1e-9)
