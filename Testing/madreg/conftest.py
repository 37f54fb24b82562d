"""A head that is a formula, on lattices as awkward as scanners make them.

Since the head can be evaluated at any point, the scans made of it have an exact truth on any lattice and in any pose.
"""

from __future__ import annotations

import importlib.util
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from madreg.image.geometry import rotation

REACH_MM = 95.0  # every lattice reaches this far from its centre, and the head lies within


def lattice(directions: np.ndarray, spacing: tuple[float, float, float], center: tuple[float, float, float]):
    """Grid with the given axes (columns of ``directions``) and spacing that covers :data:`REACH_MM` about a point."""
    from madreg.image.geometry import Grid

    size = np.ceil(2 * REACH_MM / np.array(spacing)).astype(int) + 1
    matrix = np.eye(4)
    matrix[:3, :3] = directions * np.array(spacing)
    matrix[:3, 3] = np.array(center) - matrix[:3, :3] @ ((size - 1) / 2)
    return Grid(tuple(int(n) for n in size), matrix)


AWKWARD = {
    "straight": (np.eye(3), (4.0, 4.0, 4.0), (0.0, 0.0, 0.0)),
    "oblique": (rotation((1, 2, 3), 37), (3.5, 4.0, 4.5), (20.0, -30.0, 140.0)),
    "left-handed": (np.diag([-1.0, 1.0, 1.0]) @ rotation((0, 1, 1), 25), (4.0, 4.0, 4.0), (-60.0, 10.0, 5.0)),
    "sagittal slabs": (
        np.array([[0, 0, 1], [1, 0, 0], [0, -1, 0]], float) @ rotation((1, 1, 0), 12),
        (3.0, 3.0, 6.0),
        (5.0, 80.0, -400.0),
    ),
}


@pytest.fixture(params=AWKWARD)
def awkward_grid(request):
    """Lattices: straight, oblique, left-handed, permuted axes with thick slices."""
    return lattice(*AWKWARD[request.param])


@pytest.fixture(scope="session")
def grid_of() -> Callable:
    """Function from a name in :data:`AWKWARD` to its lattice."""
    return lambda name: lattice(*AWKWARD[name])


@pytest.fixture(scope="session")
def turn() -> Callable:
    """The function :func:`madreg.image.geometry.rotation`."""
    return rotation


class Head:
    """An uneven head about the origin: a skull of 58 x 72 x 64 mm half-axes, brain and lumps of tissue."""

    def __init__(self, seed: int = 5, lumps: int = 14) -> None:
        rng = np.random.default_rng(seed)
        self.places = rng.uniform(-1, 1, (lumps, 3)) * [34, 44, 38]
        self.widths = rng.uniform(8, 15, lumps)
        self.strengths = rng.uniform(0.2, 0.4, lumps) * np.where(np.arange(lumps) % 2, 1, -1)

    def tissue(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Share of head, share of skull, and what distinguishes tissues, at points (..., 3)."""
        x, y, z = np.moveaxis(points, -1, 0).copy()
        radius = np.sqrt((x / 58) ** 2 + (y / 72) ** 2 + (z / 64) ** 2)
        jaw = np.sqrt(((x - 6) / 26) ** 2 + ((y + 48) / 34) ** 2 + ((z + 44) / 30) ** 2)
        head = 1 / (1 + np.exp(np.clip((np.minimum(radius, jaw) - 1) * 22, -50, 50)))
        skull = np.exp(-(((radius - 0.86) / 0.05) ** 2))
        return head, skull, self._lumps(points.reshape(-1, 3)).reshape(points.shape[:-1])

    def _lumps(self, points: np.ndarray) -> np.ndarray:
        """Sum of Gaussians at points (n, 3); their exponents are products of matrices, which is fast."""
        scales = 0.5 / self.widths**2
        squares = np.column_stack([(points**2).sum(1), points, np.ones(len(points))])
        factors = np.vstack([-scales, 2 * scales * self.places.T, -scales * (self.places**2).sum(1)])
        return np.exp(squares @ factors) @ self.strengths

    def ct(self, points: np.ndarray) -> np.ndarray:
        """Bright bone, lumps brighter or darker than tissue."""
        head, skull, lumps = self.tissue(points)
        return head * np.clip(0.45 + 0.5 * skull + lumps, 0.05, 1.1)

    def mr(self, points: np.ndarray) -> np.ndarray:
        """The same head the other way round: dark bone, and what was brighter is darker."""
        head, skull, lumps = self.tissue(points)
        return head * np.clip(0.6 - 0.5 * skull - 0.9 * lumps, 0.05, 1.1)


@pytest.fixture(scope="session", autouse=True)
def forked_readers(fork_server) -> Iterator[None]:
    """Readers that work in a process of their own are forked rather than started."""
    from madreg.io import isolated

    with pytest.MonkeyPatch.context() as patch:
        if fork_server is not None:
            names = {name: getattr(subprocess, name) for name in ("PIPE", "DEVNULL", "TimeoutExpired")}
            patch.setattr(isolated, "subprocess", SimpleNamespace(Popen=fork_server.popen, **names))
        yield


@pytest.fixture
def started_readers(forked_readers, monkeypatch) -> None:
    """Readers are started as they are outside of tests."""
    monkeypatch.setattr("madreg.io.isolated.subprocess", subprocess)


@pytest.fixture(scope="session")
def head() -> Head:
    return Head()


@pytest.fixture(scope="session")
def make_volume() -> Callable:
    """Function (appearance, grid, pose): the Volume of a formula that lies where the 4x4 ``pose`` puts it."""
    import torch

    from madreg.image.geometry import apply
    from madreg.image.volume import Volume

    def make(appearance: Callable, grid, pose: np.ndarray | None = None, name: str = "scan") -> Volume:
        points = grid.points().numpy().astype(float)
        if pose is not None:
            points = apply(np.linalg.inv(pose), points)
        data = torch.from_numpy(appearance(points).astype(np.float32))
        return Volume(name, data, grid, torch.ones(data.shape, dtype=torch.bool))

    return make


@pytest.fixture(scope="session")
def ct_and_mr(grid_of, make_volume, head, turn) -> Callable:
    """Function (fixed lattice, moving lattice, axis, degrees): a CT and an MR of one head, each in the middle of its
    lattice of :data:`AWKWARD`, the moving head rotated, and the true pose."""

    def make(fixed: str, moving: str, axis: tuple[float, float, float], degrees: float):
        from madreg.image.geometry import about

        fixed_grid, moving_grid = grid_of(fixed), grid_of(moving)
        placed, pose = np.eye(4), about(np.zeros(3), turn(axis, degrees))
        placed[:3, 3], pose[:3, 3] = fixed_grid.center, moving_grid.center
        ct, mr = make_volume(head.ct, fixed_grid, placed, "CT"), make_volume(head.mr, moving_grid, pose, "MR")
        return ct, mr, pose @ np.linalg.inv(placed)

    return make


@pytest.fixture(scope="session")
def spots() -> np.ndarray:
    """Points (n, 3) over the head of the formula, at which errors in mm are taken."""
    points = np.random.default_rng(0).uniform(-1, 1, (2000, 3))
    return points[np.linalg.norm(points, axis=1) < 1] * [58, 72, 64]


@pytest.fixture(scope="session")
def dicom() -> ModuleType:
    """The module io/dicom_files.py: functions that write DICOM files."""
    path = Path(__file__).with_name("io") / "dicom_files.py"
    specification = importlib.util.spec_from_file_location("dicom_files", path)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def slab_of() -> Callable[..., Any]:
    """Function: what a volume shows within so many mm across a world axis, that many mm off its middle."""

    def cut(volume, thickness: float, axis: int = 2, offset: float = 0.0):
        import torch

        across = volume.grid.points()[..., axis] - float(volume.grid.center[axis]) - offset
        there = across.abs() < thickness / 2
        return replace(volume, data=torch.where(there, volume.data, torch.zeros(())), mask=volume.mask & there)

    return cut
