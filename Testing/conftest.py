"""Small scans with known geometry for all tests: blobs on odd lattices, and a synthetic head of two contrasts."""

import os

if "PYTEST_XDIST_WORKER" in os.environ:  # one processor each; set before torch is imported
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pytest

import forking
from madreg.system.process import collect_rarely

collect_rarely()  # as the commands and the worker do: looking for garbage takes one twentieth of the fast tests


def odd_grid(size, spacing, euler_degrees=(0.0, 0.0, 0.0), flip=(1, 1, 1), center=(12.0, -30.0, 45.0)):
    """Lattice whose middle is at ``center`` (LPS mm), rotated by three angles, with axes reversed by ``flip``."""
    from madreg.image.geometry import Grid, rotation

    matrix = np.eye(4)
    x, y, z = (rotation(axis, degrees) for axis, degrees in zip(np.eye(3), euler_degrees, strict=True))
    matrix[:3, :3] = x @ y @ z @ np.diag(flip) @ np.diag(spacing)
    matrix[:3, 3] = np.array(center) - matrix[:3, :3] @ ((np.array(size) - 1) / 2)
    return Grid(tuple(size), matrix)


ODD_GRIDS = {
    "plain": odd_grid((30, 32, 34), (3.0, 3.0, 3.0)),
    "oblique": odd_grid((30, 32, 34), (2.5, 3.0, 3.5), (20.0, -35.0, 50.0)),
    "anisotropic": odd_grid((160, 150, 14), (0.5, 0.5, 6.0), (10.0, 5.0, -15.0)),
    "left-handed": odd_grid((30, 32, 34), (3.0, 2.0, 3.0), (15.0, 10.0, 5.0), (1, 1, -1)),
    "sagittal": odd_grid((40, 40, 24), (2.0, 2.0, 4.0), (90.0, 0.0, 90.0)),
}


@pytest.fixture(params=list(ODD_GRIDS))
def grid(request):
    """Each odd lattice in turn."""
    return ODD_GRIDS[request.param]


@pytest.fixture
def odd_grids():
    """All odd lattices by name."""
    return ODD_GRIDS


@pytest.fixture
def blob_image():
    """Function: SimpleITK image of a Gaussian blob of 100 at a world point (LPS mm) on a lattice."""

    def make(grid, center=(12.0, -30.0, 45.0), sigma_mm=8.0):
        distance = np.linalg.norm(grid.points().double().numpy() - np.asarray(center), axis=-1)
        return grid.as_image((100 * np.exp(-0.5 * (distance / sigma_mm) ** 2)).astype(np.float32))

    return make


@pytest.fixture
def blob_volume(blob_image):
    """Function: the same blob as a Volume."""
    from madreg.io.reading import volume_from_image

    def make(grid, center=(12.0, -30.0, 45.0), sigma_mm=8.0):
        return volume_from_image(blob_image(grid, center, sigma_mm), "blob")[0]

    return make


@pytest.fixture(scope="session")
def head_images():
    """A synthetic head as CT and as T1w: two SimpleITK images of the same anatomy in the same place."""
    from madreg_benchmark.cases.simulation import simulate_ct_t1
    from madreg_benchmark.cases.synthetic_head import label_map

    return simulate_ct_t1(label_map(1), 1)


@pytest.fixture(scope="session")
def fork_server():
    """The :class:`forking.ForkServer` of readers and fake workers; None where forking is not possible."""
    modules = ["SimpleITK", "madreg.commands.worker", "madreg.io.isolated", "madreg.io.resampling"]
    server = forking.ForkServer(modules) if forking.is_possible() else None
    yield server
    if server is not None:
        server.close()


@pytest.fixture
def rigid_motion():
    """Function: 4x4 rotation about an axis by degrees, about a centre, then a shift; LPS mm."""
    from madreg.image.geometry import about, rotation

    def make(axis, degrees, shift=(0.0, 0.0, 0.0), center=(0.0, 0.0, 0.0)):
        return about(np.asarray(center), rotation(axis, degrees), np.asarray(shift))

    return make
