"""Descent: the same steps as torch's Adam, and BFGS that ends in the minimum, in mm."""

import numpy as np
import pytest
import torch

from madreg.descent.adam import Adam, adam
from madreg.descent.bfgs import bfgs
from madreg.descent.evaluation import evaluate
from madreg.descent.parameters import LinearTransform
from madreg.image.geometry import about, mean_displacement
from madreg.measures.nmi import NMI
from translation import translation_matrix


def test_adam_takes_the_steps_of_torchs():
    ours, theirs = (torch.tensor([[3.0, -2.0, 0.5]], dtype=torch.float64, requires_grad=True) for _ in range(2))
    mine, reference = Adam(ours, betas=(0.8, 0.95)), torch.optim.Adam([theirs], betas=(0.8, 0.95))
    for step in range(12):
        reference.param_groups[0]["lr"] = 0.5 * 0.9**step
        for one in (ours, theirs):
            one.grad = None
            (one**4).sum().backward()
        mine.step(ours.grad, 0.5 * 0.9**step)
        reference.step()
    assert ours.detach().numpy() == pytest.approx(theirs.detach().numpy(), abs=1e-6)


class Basin:
    """A curved, badly scaled basin in translation: what a gradient alone creeps along."""

    name = "basin"

    def __init__(self, bottom: np.ndarray) -> None:
        self.bottom, self.calls = torch.as_tensor(bottom), 0

    def __call__(self, matrices: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        x, y, z = (matrices[:, :3, 3] - self.bottom).unbind(1)
        return 1e-4 * (x**2 + 30 * (y - 0.02 * x**2) ** 2 + 5 * z**2)


def test_bfgs_ends_in_the_minimum_of_a_curved_basin():
    bottom = np.array([4.0, -3.0, 2.0])
    measure = Basin(bottom)
    starts = np.stack([np.eye(4), np.eye(4)])
    starts[1, :3, 3] = [9.0, 0.0, -4.0]
    shares: list[float] = []
    poses, values = bfgs(
        measure,
        LinearTransform(starts, np.zeros(3)),
        steps=60,
        first_step=2.0,
        last_step=1e-3,
        progress=lambda share, matrices: shares.append(share),
    )
    assert np.abs(poses[:, :3, 3] - bottom).max() < 0.01
    assert values == pytest.approx(0.0, abs=1e-7)
    assert shares == sorted(shares) and measure.calls <= 61
    assert measure.calls == len(shares) + 1  # one to begin with, then one a step


def test_a_pose_never_gets_worse_and_no_step_is_longer_than_asked():
    measure = Basin(np.array([50.0, 0.0, 0.0]))
    seen = [0.0]
    bfgs(
        measure,
        LinearTransform(np.eye(4), np.zeros(3)),
        steps=10,
        first_step=1.5,
        last_step=0.01,
        progress=lambda share, matrices: seen.append(float(matrices[0, 0, 3])),
    )
    assert 3 < seen[-1] <= 15.01 and np.abs(np.diff(seen)).max() <= 1.5001


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["rigid", "affine"])
def test_bfgs_meets_adam_on_a_real_measure_with_fewer_evaluations(grid_of, make_volume, head, turn, spots, kind):
    fixed_grid, moving_grid = grid_of("oblique"), grid_of("left-handed")
    placed, pose = np.eye(4), about(np.zeros(3), turn((1, -2, 0.5), 50))
    placed[:3, 3], pose[:3, 3] = fixed_grid.center, moving_grid.center
    measure = NMI(make_volume(head.ct, fixed_grid, placed), make_volume(head.mr, moving_grid, pose), samples=6000)
    truth, points = pose @ np.linalg.inv(placed), spots + fixed_grid.center
    start = truth @ about(fixed_grid.center, turn((2, 1, -1), 2), np.array([2.0, -1.0, 1.5]))
    count = {"bfgs": 0, "from_adam": 0}

    def counting(name: str):
        def report_progress(share: float, matrices: np.ndarray) -> None:
            count[name] += 1

        return report_progress

    from_bfgs, least = bfgs(
        measure,
        LinearTransform(start, fixed_grid.center, kind),
        steps=40,
        first_step=1.0,
        last_step=0.01,
        progress=counting("bfgs"),
    )
    from_adam, value = adam(
        measure,
        LinearTransform(start, fixed_grid.center, kind),
        steps=80,
        first_step=0.6,
        last_step=0.02,
        progress=counting("from_adam"),
    )
    assert mean_displacement(start, truth, points) > 2.5
    assert least[0] < value[0] + 1e-3 and least[0] == pytest.approx(evaluate(measure, from_bfgs)[0])
    assert mean_displacement(from_bfgs[0], truth, points) < mean_displacement(from_adam[0], truth, points) + 0.3
    assert count["bfgs"] <= 40 < count["from_adam"]


def test_a_pose_without_overlap_stays_and_does_no_harm(grid_of, make_volume, head):
    grid = grid_of("straight")
    volume = make_volume(head.mr, grid)
    away, near = translation_matrix(2000.0, 2000.0, 2000.0), translation_matrix(1.5)
    poses, _ = bfgs(
        NMI(volume, volume, samples=4000),
        LinearTransform(np.stack([away, near]), grid.center),
        steps=25,
        first_step=1.0,
        last_step=0.01,
    )
    assert poses[0] == pytest.approx(away)
    assert np.abs(poses[1] - np.eye(4)).max() < 0.1
