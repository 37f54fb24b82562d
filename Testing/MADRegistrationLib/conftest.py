"""Real MRML scenes for the tests, from the PyPI package slicer-core: everything of Slicer but Qt."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))  # for doubles

slicer = pytest.importorskip("slicer", reason="needs the PyPI package slicer-core")

import vtk  # noqa: E402
from doubles import FAKES, FakeView  # noqa: E402
from vtk.util.numpy_support import numpy_to_vtk  # noqa: E402

from MADRegistrationLib.panel.panel import Panel  # noqa: E402
from MADRegistrationLib.scene.matrices import toMatrix  # noqa: E402
from MADRegistrationLib.worker import process as processModule  # noqa: E402
from MADRegistrationLib.worker.client import WorkerClient  # noqa: E402
from MADRegistrationLib.worker.process import SubprocessProcess  # noqa: E402


def newScene():
    slicer.mrmlScene = slicer.vtkMRMLScene()
    slicer.mrmlScene.RegisterNodeClass(slicer.vtkMRMLColorLegendDisplayNode())  # as Slicer's module Colors does
    return slicer.mrmlScene


@pytest.fixture
def scene():
    """An empty scene, which is also ``slicer.mrmlScene`` while the test runs."""
    yield newScene()
    slicer.mrmlScene.Clear()


@pytest.fixture
def saveAndLoad(scene, tmp_path):
    """Function that saves the scene with all its volumes and transforms, as Slicer's Save does, and returns the scene
    loaded again, which becomes ``slicer.mrmlScene``."""

    def again():
        folder = tmp_path / "saved"
        folder.mkdir()
        for kind, ending in (("vtkMRMLVolumeNode", "nrrd"), ("vtkMRMLTransformNode", "h5")):
            nodes = scene.GetNodesByClass(kind)
            for n in range(nodes.GetNumberOfItems()):
                node = nodes.GetItemAsObject(n)
                if node.IsA("vtkMRMLVolumeNode") and node.GetImageData() is None:
                    continue
                node.AddDefaultStorageNode(str(folder / f"{node.GetID()}.{ending}"))
                assert node.GetStorageNode().WriteData(node)
        scene.SetRootDirectory(str(folder))
        scene.SetURL(str(folder / "scene.mrml"))
        assert scene.Commit()
        loaded = newScene()
        loaded.SetURL(str(folder / "scene.mrml"))
        assert loaded.Import()
        return loaded

    return again


@pytest.fixture
def addVolume(scene):
    """Function that adds a volume: voxels (k, j, i) or (k, j, i, components), 4x4 IJK to RAS, name, class."""

    def add(array, ijkToRas=None, name="Volume", nodeClass="vtkMRMLScalarVolumeNode"):
        node = scene.AddNewNodeByClass(nodeClass, name)
        voxels = vtk.vtkImageData()
        voxels.SetDimensions(array.shape[2::-1])
        components = array.shape[3] if array.ndim > 3 else 1
        voxels.GetPointData().SetScalars(numpy_to_vtk(array.reshape(-1, components), deep=True))
        node.SetAndObserveImageData(voxels)
        node.SetIJKToRASMatrix(toMatrix(np.eye(4) if ijkToRas is None else ijkToRas))
        return node

    return add


@pytest.fixture
def addTransform(scene):
    """Function that adds a linear transform: 4x4 to parent in RAS, name, parent node."""

    def add(toParent, name="Transform", parent=None):
        node = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", name)
        node.SetMatrixTransformToParent(toMatrix(toParent))
        if parent is not None:
            node.SetAndObserveTransformNodeID(parent.GetID())
        return node

    return add


@pytest.fixture
def resume(tmp_path_factory, monkeypatch):
    """Function that lets a fake worker go on that waits for the test (``WAITING``)."""
    file = tmp_path_factory.mktemp("fakes") / "resume"
    monkeypatch.setenv("MADREG_FAKES_RESUME", str(file))
    return file.touch


@pytest.fixture
def forkedWorkers(fork_server, monkeypatch):
    """Fake workers are forked rather than started."""
    if fork_server is not None:
        popen = SimpleNamespace(Popen=fork_server.popen, PIPE=subprocess.PIPE)
        monkeypatch.setattr(processModule, "subprocess", popen)


@pytest.fixture
def startingClient(resume):
    """The client of a fake worker, which it starts as Slicer starts the real one."""
    client = WorkerClient(SubprocessProcess, [sys.executable], FAKES)
    yield client
    client.stop()


@pytest.fixture
def client(startingClient, forkedWorkers):
    """The client of a fake worker, which it forks: that is faster."""
    return startingClient


@pytest.fixture
def view():
    return FakeView()


@pytest.fixture
def panel(view, client, scene):
    for name in ("Red", "Green"):
        node = slicer.vtkMRMLSliceCompositeNode()
        node.SetLayoutName(name)
        scene.AddNode(node)
    panel = Panel(view, client, ensureTorch=lambda: None)
    yield panel
    panel.close()


@pytest.fixture
def volumes(addVolume):
    """Three scans: MR, CT and PET."""
    return [
        addVolume(np.random.default_rng(n).integers(0, 9, (9, 10, 11)).astype(np.int16), name=name)
        for n, name in enumerate(("MR", "CT", "PET"))
    ]
