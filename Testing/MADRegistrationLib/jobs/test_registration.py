import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
import slicer
import vtk
from doubles import BAD_INPUT, BUG, CHILD, CRASH, FAKES, NO_MEMORY, QUICK, SLOW, WAITING

from madreg.errors import InputError
from madreg.image.geometry import FLIP_LPS_RAS, about, apply
from madreg.settings import Resampling
from MADRegistrationLib.inputs import Inputs
from MADRegistrationLib.jobs.registration import SceneRegistration, newRun
from MADRegistrationLib.results import errormap, savedregistration
from MADRegistrationLib.scene import volumes
from MADRegistrationLib.scene.matrices import toMatrix
from MADRegistrationLib.worker import channel as channelModule
from MADRegistrationLib.worker.client import WorkerClient
from MADRegistrationLib.worker.process import SubprocessProcess

pytestmark = pytest.mark.usefixtures("tempFolder")

SHIFT_AND_TURN = about(
    np.array([3.0, -8, 20]), np.array([[0.0, -1, 0], [0.6, 0, -0.8], [0.8, 0, 0.6]]), np.array([5.0, 40, -9])
)


@pytest.fixture
def tempFolder(tmp_path, monkeypatch):
    """Where temporary files go, empty at first."""
    folder = tmp_path / "temp"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def pair(addVolume):
    rng = np.random.default_rng(0)
    fixed = addVolume(rng.integers(0, 100, (20, 21, 22)).astype(np.int16), name="MR")
    moving = addVolume(rng.integers(0, 100, (20, 21, 22)).astype(np.int16), name="CT")
    return fixed, moving


def run(registration, until=lambda r: False, seconds=120):
    """Poll as a timer would, until it is over or a condition holds.

    Returns:
        The longest that a call took, in seconds of this thread's processor: other programs do not count.
    """
    longest, end = 0.0, time.monotonic() + seconds
    while registration.state == "running" and not until(registration):
        assert time.monotonic() < end, "the registration did not end"
        began = time.thread_time()
        registration.poll()
        longest = max(longest, time.thread_time() - began)
        time.sleep(0.01)
    return longest


def register(client, pair, seed=QUICK, measure="default", **options):
    names = ("fixedMask", "movingMask", "transform", "resampled", "resampling", "structures")
    inputs = {key: options.pop(key) for key in names if key in options}
    registration = SceneRegistration(client, Inputs(*pair, **inputs), {"seed": seed, "measure": measure}, **options)
    registration.start()
    return registration


def exists(pid):
    """Whether a process runs; one that has ended but was not waited for does not count."""
    if os.name == "nt":
        listed = subprocess.run(["tasklist", "/FI", f"PID eq {pid}", "/NH"], capture_output=True, text=True).stdout
        return str(pid) in listed
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True).stdout.strip()
    return bool(state) and not state.startswith("Z")


def isAsBefore(scene, pair):
    return (
        all(node.GetTransformNodeID() is None for node in pair)
        and scene.GetNumberOfNodesByClass("vtkMRMLTransformNode") == 0
    )


def test_a_registration_ends_on_the_transform(client, pair, scene):
    progress = []
    registration = register(client, pair, onProgress=progress.append)
    run(registration)
    assert registration.state == "done", registration.message
    node = pair[1].GetParentTransformNode()
    # fixed to moving (10, -20, 30) LPS; to parent is the inverse in RAS
    np.testing.assert_allclose(slicer.util.arrayFromTransformMatrix(node)[:3, 3], [10, -20, -30], atol=1e-9)
    assert node.GetName() == "CT to MR (MAD)"
    assert node.GetNodeReference("spatialRegistrationMoving") is pair[1]
    assert node.GetAttribute("MADRegistration.ErrorBeforeMm") == "37.40"
    assert node.GetAttribute("MADRegistration.ErrorAfterMm") == "unknown"
    assert [p.stage for p in progress][:2] == ["preparing", "search"] and progress[1].errorMm == 12.5
    # half way, the pose is half a shift away from the result; then it has arrived
    half = np.linalg.norm([5, -10, 15])
    np.testing.assert_allclose(registration.history.convergence(), [[50, half, 12.5], [100, 0, np.nan]], atol=1e-9)


def test_the_worker_stays_warm_and_leaves_no_files(client, pair, tempFolder):
    run(register(client, pair))
    folder, pid = client.folder, client.pid
    for _ in range(3):
        run(register(client, pair, transform=pair[1].GetParentTransformNode()))
    assert (client.folder, client.pid) == (folder, pid)
    assert [p.name for p in folder.iterdir()] == ["worker.log"]
    client.stop()
    assert list(tempFolder.iterdir()) == []


def test_the_moving_volume_follows_and_cancel_puts_it_back(client, pair, scene, tempFolder):
    registration = register(client, pair, SLOW)
    run(registration, until=lambda r: r.history)
    np.testing.assert_allclose(
        slicer.util.arrayFromTransformMatrix(pair[1].GetParentTransformNode())[:3, 3], [5, -10, -15], atol=1e-9
    )
    pid, began = client.pid, time.perf_counter()
    registration.cancel()
    assert time.perf_counter() - began < 1.0
    assert registration.state == "cancelled" and isAsBefore(scene, pair)
    assert not exists(pid) and list(tempFolder.iterdir()) == []


def test_cancel_kills_the_whole_tree(startingClient, pair):
    progress = []
    registration = register(startingClient, pair, CHILD, onProgress=progress.append)
    run(registration, until=lambda r: progress[-1].stage.startswith("child"))
    child = int(progress[-1].stage.split()[1])
    assert exists(child)
    registration.cancel()
    end = time.monotonic() + 1
    while exists(child) and time.monotonic() < end:
        time.sleep(0.01)
    assert not exists(child)


@pytest.mark.parametrize("times", [10])
def test_cancelling_again_and_again_leaves_nothing(startingClient, pair, scene, tempFolder, times):
    pids = set()
    for n in range(times):
        registration = register(startingClient, pair, SLOW)
        if n % 2:  # before the process has said a word, and in the middle of its work
            run(registration, until=lambda r: r.history)
        process = startingClient._process._process
        registration.cancel()
        pids.add(process.pid)
        assert process.poll() is not None
    assert len(pids) == times and not any(exists(pid) for pid in pids)
    assert list(tempFolder.iterdir()) == [] and isAsBefore(scene, pair)
    run(again := register(startingClient, pair))
    assert again.state == "done"


def test_a_worker_that_is_killed_ends_in_a_message(startingClient, pair, scene):
    registration = register(startingClient, pair, SLOW)
    run(registration, until=lambda r: r.history)
    os.kill(startingClient.pid, 9)
    run(registration)
    assert registration.state == "failed" and "stopped unexpectedly" in registration.message
    assert isAsBefore(scene, pair)
    run(again := register(startingClient, pair))
    assert again.state == "done"


def test_a_worker_that_died_while_idle_is_replaced(startingClient, pair):
    run(register(startingClient, pair))
    os.kill(startingClient.pid, 9)
    startingClient._process._process.wait()
    run(again := register(startingClient, pair, transform=pair[1].GetParentTransformNode()))
    assert again.state == "done", again.message


def test_an_idle_worker_is_silent_and_that_is_no_fault(client, pair, monkeypatch):
    run(register(client, pair))
    monkeypatch.setattr(channelModule, "SILENCE_SECONDS", 1.0)
    time.sleep(1.5)
    assert client._process.readLines() == []
    again = register(client, pair, transform=pair[1].GetParentTransformNode())
    again.poll()
    assert again.state == "running"
    monkeypatch.undo()
    run(again)
    assert again.state == "done", again.message


@pytest.mark.parametrize(
    ("seed", "words"),
    [
        (CRASH, ["stopped unexpectedly", "memory", "MADRegistration-worker.log"]),
        (BAD_INPUT, ["CT has the same value in every voxel"]),
        (NO_MEMORY, ["ran out of memory", "crop the volumes", "MADRegistration-worker.log"]),
        (BUG, ["KeyError", "nothing was changed", "MADRegistration-worker.log"]),
    ],
)
def test_failures_are_readable_and_change_nothing(client, pair, scene, tempFolder, seed, words):
    registration = register(client, pair, seed)
    run(registration)
    assert registration.state == "failed"
    for word in words:
        assert word in registration.message
    assert "\n" not in registration.message and isAsBefore(scene, pair)
    if "MADRegistration-worker.log" in words:
        log = Path(registration.message.rpartition(" ")[2])
        assert log.exists()
        if seed == BUG:
            assert "Traceback" in log.read_text() and "a stray print" in log.read_text()
    run(again := register(client, pair))
    assert again.state == "done"


def test_a_silent_worker_is_given_up(pair, scene, tempFolder, monkeypatch):
    monkeypatch.setattr(channelModule, "SILENCE_SECONDS", 0.5)
    client = WorkerClient(SubprocessProcess, [sys.executable], FAKES)
    client._arguments.append("--silent")
    registration = register(client, pair)
    run(registration)
    assert registration.state == "failed" and "has not answered" in registration.message
    assert isAsBefore(scene, pair) and not client.isStarted


def test_a_worker_without_torch_says_so(pair, scene, tempFolder):
    client = WorkerClient(SubprocessProcess, [sys.executable], FAKES)
    client._arguments.append("--broken")
    registration = register(client, pair)
    run(registration)
    assert registration.state == "failed" and "ZeroDivisionError" in registration.message


def test_a_python_that_is_not_there(pair, scene, tempFolder):
    client = WorkerClient(SubprocessProcess, ["/nowhere/PythonSlicer"], FAKES)
    with pytest.raises(InputError, match="cannot be started"):
        register(client, pair)
    assert isAsBefore(scene, pair) and list(tempFolder.iterdir()) == []


def test_the_worker_dies_with_its_parent_and_cleans_up(tmp_path):
    folder = tmp_path / "files"
    (folder / "1").mkdir(parents=True)
    code = (
        f"import subprocess, sys, time; p = subprocess.Popen([sys.executable, {str(FAKES)!r}, {str(folder)!r}], "
        "stdin=subprocess.PIPE, stdout=subprocess.DEVNULL); print(p.pid, flush=True); time.sleep(600)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    worker = int(parent.stdout.readline())
    time.sleep(1)
    assert exists(worker)
    parent.kill()
    parent.wait()
    end = time.monotonic() + 3
    while exists(worker) and time.monotonic() < end:
        time.sleep(0.02)
    assert not exists(worker) and not folder.exists()


def test_resampled_volume_and_revert(client, pair, scene, addTransform):
    fixed, moving = pair
    fixed.SetAndObserveTransformNodeID(addTransform(np.diag([1.0, 1, 1, 1])).GetID())
    output = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Resampled")
    nodes = scene.GetNumberOfNodes()
    registration = register(client, pair, resampled=output)
    run(registration)
    assert registration.state == "done", registration.message
    # fixed index f shows moving index f + (10, -20, 30) in LPS = f + (-10, 20, 30) in these RAS volumes
    source, found = slicer.util.arrayFromVolume(moving), slicer.util.arrayFromVolume(output)
    assert found.dtype == source.dtype and output.GetTransformNodeID() == fixed.GetTransformNodeID()
    assert found[0, 0, 12] == source.min()  # no moving slice 30: outside
    registration.revert()
    assert output.GetImageData() is None and output.GetTransformNodeID() is None
    assert moving.GetTransformNodeID() is None and scene.GetNumberOfNodes() == nodes
    assert registration.state == "reverted" and not registration.canRevert


def test_the_resampled_volume_is_made_as_it_is_wished(client, pair, scene):
    output = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Resampled")
    wished = Resampling("nearest", fill=-300.5, voxel_type="float64")
    run(registration := register(client, pair, resampled=output, resampling=wished))
    assert registration.state == "done", registration.message
    found = slicer.util.arrayFromVolume(output)
    assert found.dtype == np.float64 and found[0, 0, 12] == -300.5


def test_the_error_map_reaches_the_scene_and_goes_with_revert(client, pair, scene, addTransform):
    """The fixed volume under a parent: world (LPS) and back."""
    fixed, moving = pair
    fixed.SetAndObserveTransformNodeID(addTransform(SHIFT_AND_TURN).GetID())
    nodes = scene.GetNumberOfNodes()
    run(registration := register(client, pair, measure="nmi"))
    assert registration.state == "done", registration.message
    node = errormap.find(fixed, moving)
    assert node.GetTransformNodeID() == fixed.GetTransformNodeID()
    image = volumes.imageOfVolume(node)
    index = np.unravel_index(image.array.argmax(), image.array.shape)[::-1]
    # coarse index (4, 3, 2) of the fake is index (8, 6, 4) of the fixed volume
    wanted = apply(volumes.imageOfVolume(fixed).matrix, np.array([8, 6, 4]))
    np.testing.assert_allclose(apply(image.matrix, np.array(index)), wanted, atol=1e-3)
    millimetres, point = errormap.worst(node)
    assert millimetres == 17.5 and registration.report["worst_mm"] == 17.5
    np.testing.assert_allclose(apply(FLIP_LPS_RAS, point), wanted, atol=1e-3)
    assert [path.name for path in client.folder.iterdir()] == ["worker.log"]
    registration.revert()
    assert scene.GetNumberOfNodes() == nodes


def test_a_result_without_an_error_map_has_none_not_the_former_one(client, pair, scene):
    run(first := register(client, pair, measure="nmi"))
    former = errormap.find(*pair)
    run(again := register(client, pair, transform=first.transform))
    assert again.state == "done" and errormap.find(*pair) is None
    again.revert()
    assert errormap.find(*pair) is former is not None


def test_registrations_of_a_saved_scene_can_be_reverted(client, pair, scene, saveAndLoad, addVolume):
    fixed, _moving = pair
    resampled = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Resampled")
    kept = addVolume(np.zeros((4, 4, 4)), name="Used before")
    other = addVolume(np.ones((5, 5, 5), np.int16), name="PET")
    run(register(client, (fixed, other)))  # an earlier run
    name = newRun()
    run(register(client, pair, measure="nmi", resampled=resampled, run=name))
    third = addVolume(np.ones((5, 5, 5), np.int16), name="FLAIR")
    run(register(client, (fixed, third), resampled=kept, run=name))
    assert len(savedregistration.newest()) == 2
    loaded = saveAndLoad()
    found = savedregistration.newest()
    assert sorted(one.transform.GetName() for one in found) == ["CT to MR (MAD)", "FLAIR to MR (MAD)"]
    overwritten = [one.notAsBefore[0] for one in found if one.notAsBefore[0]]
    assert overwritten == [loaded.GetFirstNodeByName("Used before")]
    for one in found:
        one.revert()
    assert loaded.GetFirstNodeByName("CT").GetTransformNodeID() is None
    assert loaded.GetFirstNodeByName("FLAIR").GetTransformNodeID() is None
    assert loaded.GetFirstNodeByName("CT to MR error (MAD)") is None
    assert loaded.GetFirstNodeByName("Resampled").GetImageData() is None
    assert loaded.GetFirstNodeByName("Used before").GetImageData() is not None
    # one step further back
    assert [one.transform.GetName() for one in savedregistration.newest()] == ["PET to MR (MAD)"]


def test_masks_reach_the_worker_on_their_own_grid(client, pair, addVolume):
    mask = addVolume(np.ones((5, 6, 7), np.uint8), nodeClass="vtkMRMLLabelMapVolumeNode")
    run(registration := register(client, pair, fixedMask=mask, movingMask=mask))
    assert registration.state == "done"
    empty = addVolume(np.zeros((5, 6, 7), np.uint8), nodeClass="vtkMRMLLabelMapVolumeNode", name="Nothing")
    run(registration := register(client, pair, fixedMask=empty))
    assert registration.state == "failed" and 'The mask "Nothing" is empty' in registration.message


@pytest.mark.parametrize(
    ("error", "words"),
    [(MemoryError("Unable to allocate 64 GiB"), "ran out of memory"), (KeyError("oops"), "error of this module")],
)
@pytest.mark.parametrize("where", ["ascontiguousarray", "load"])
def test_an_error_in_slicer_is_said_and_changes_nothing(client, pair, scene, monkeypatch, where, error, words):
    def fails(*_, **__):
        raise error

    output = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Resampled")
    nodes = scene.GetNumberOfNodes()
    monkeypatch.setattr(np, where, fails)  # as the volumes are written, and as the result is read
    registration = register(client, pair, resampled=output)
    run(registration, seconds=20)
    assert registration.state == "failed" and words in registration.message
    assert scene.GetNumberOfNodes() == nodes and pair[1].GetTransformNodeID() is None


def resize(node):
    voxels = vtk.vtkImageData()
    voxels.SetDimensions(5, 6, 7)
    voxels.AllocateScalars(vtk.VTK_SHORT, 1)
    node.SetAndObserveImageData(voxels)


def harden(node):
    node.HardenTransform()


def center(node):
    """As the module Volumes does."""
    node.SetOrigin(7, 8, 9)


@pytest.mark.parametrize(
    ("role", "change", "follow"), [(0, harden, False), (1, harden, True), (1, center, False), (1, resize, False)]
)
def test_a_volume_on_another_lattice_meanwhile(client, pair, scene, addTransform, resume, role, change, follow):
    """The pose that is found is not that of the volume as it is now."""
    for node in pair:
        node.SetAndObserveTransformNodeID(addTransform(SHIFT_AND_TURN).GetID())
    registration = register(client, pair, WAITING, follow=follow)
    run(registration, until=lambda r: r.history)
    change(pair[role])
    changed = [volumes.imageOfVolume(node).matrix for node in pair]
    parent = pair[role].GetTransformNodeID()
    resume()
    run(registration)
    name = pair[role].GetName()
    words = f'"{name}" was hardened or given other voxels: the registration was stopped, begin it again.'
    assert (registration.state, registration.message) == ("failed", words)
    if parent is None:  # it lies where it was hardened, and is not moved twice
        np.testing.assert_allclose(volumes.imageOfVolume(pair[role]).matrix, changed[role])
    assert scene.GetNumberOfNodesByClass("vtkMRMLTransformNode") == 2
    other = pair[1 - role]
    assert other.GetParentTransformNode().GetName() == "Transform"


def test_a_volume_moved_before_it_is_written(client, pair, addTransform, scene):
    above = addTransform(SHIFT_AND_TURN)
    pair[1].SetAndObserveTransformNodeID(above.GetID())
    registration = register(client, pair)
    above.SetMatrixTransformToParent(toMatrix(np.eye(4)))
    run(registration)
    assert registration.message == '"CT" was moved: the registration was stopped, begin it again.'
    assert pair[1].GetParentTransformNode() is above


def test_structures_are_not_overwritten(client, pair, scene, addVolume):
    structures = addVolume(np.ones((20, 21, 22), np.uint8), name="Organs", nodeClass="vtkMRMLLabelMapVolumeNode")
    with pytest.raises(InputError, match='"Organs" is an input'):
        register(client, pair, resampled=structures, structures=structures)


def test_closing_the_scene_ends_the_registration(client, pair, scene):
    registration = register(client, pair, SLOW)
    run(registration, until=lambda r: r.history)
    scene.Clear()
    run(registration)
    assert registration.state == "failed" and not client.isStarted


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda fixed, moving: (fixed, fixed), "are the same"),
        (lambda fixed, moving: (None, moving), "Choose a fixed volume"),
        (lambda fixed, moving: (fixed, None), "Choose a moving volume"),
    ],
)
def test_wrong_inputs_are_refused_before_anything_starts(client, pair, change, words):
    with pytest.raises(InputError, match=words):
        register(client, change(*pair))
    assert not client.isStarted


def test_no_call_blocks_the_interface(client, addVolume, scene):
    """A large pair, a mask and a resampled volume: the longest call in Slicer's own process stays under 0.2 s."""
    array = np.zeros((256, 256, 180), np.float32)
    pair = addVolume(array, name="MR"), addVolume(array, name="CT")
    mask = addVolume(np.ones(array.shape, np.uint8), name="Mask", nodeClass="vtkMRMLLabelMapVolumeNode")
    resampled = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    pair[1].CreateDefaultDisplayNodes()  # as every volume that Slicer has loaded
    pair[1].GetDisplayNode().SetAutoWindowLevel(False)
    pair[1].GetDisplayNode().SetWindowLevel(321, 123)
    began = time.thread_time()
    registration = register(client, pair, fixedMask=mask, resampled=resampled)
    longest = time.thread_time() - began
    longest = max(longest, run(registration))
    assert registration.state == "done" and resampled.GetDisplayNode().GetWindow() == 321
    assert longest < 0.2


@pytest.fixture
def two(client, pair, addVolume):
    """A registration that waits for the test, as of the panel, and another one begun meanwhile, as of a script: both
    have one worker."""
    other = addVolume(np.random.default_rng(1).integers(0, 100, (20, 21, 22)).astype(np.int16), name="PET")
    first = register(client, pair, WAITING)
    run(first, until=lambda r: len(r.history))
    second = register(client, (pair[0], other))
    for _ in range(20):
        second.poll()
    return first, second


def test_two_registrations_at_once_hear_what_the_worker_says_of_them(two, pair, resume):
    first, second = two
    resume()
    run(second)  # the first one is not asked before the end
    run(first, seconds=10)
    assert [one.state for one in two] == ["done", "done"]
    assert first.transform is pair[1].GetParentTransformNode() is not second.transform


def test_a_registration_ends_if_another_one_is_cancelled_with_its_worker(two, scene):
    first, second = two
    first.cancel()
    run(second, seconds=10)
    assert (first.state, second.state) == ("cancelled", "failed")
    assert second.message == "The registration process was stopped with another registration: nothing was changed."
    assert scene.GetNumberOfNodesByClass("vtkMRMLTransformNode") == 0
