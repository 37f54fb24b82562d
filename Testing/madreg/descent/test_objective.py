"""A reversed objective does to a pair what the plain one does to the swapped pair."""

import numpy as np
import pytest

from madreg.descent.adam import adam
from madreg.descent.objective import Forward, Reversed, Schedule
from madreg.image.geometry import mean_displacement
from madreg.image.pair import Pair
from madreg.measures import NMI
from translation import translation_matrix

SCHEDULE = Schedule(adam, 10, 1.0, 0.2)


@pytest.fixture(scope="module")
def pair(grid_of, make_volume, head):
    grid = grid_of("straight")
    return Pair(make_volume(head.mr, grid).resampled(6.0), make_volume(head.ct, grid).resampled(6.0))


def test_reversed_takes_and_returns_inverses(pair):
    inner = Forward(NMI(pair.moving, pair.fixed, samples=3000), pair.swapped.points)
    start = translation_matrix(4.0, -2.0, 3.0)
    reported = []
    poses, values = Reversed(inner).descend(start[None], "rigid", SCHEDULE, lambda _, at: reported.append(at))
    inverses, expected = inner.descend(np.linalg.inv(start)[None], "rigid", SCHEDULE)
    assert values == pytest.approx(expected) and poses[0] @ inverses[0] == pytest.approx(np.eye(4), abs=1e-9)
    assert reported[-1][0] == pytest.approx(poses[0])
    assert Reversed(inner).values(poses) == pytest.approx(values)
    assert mean_displacement(poses[0], np.eye(4), pair.points) < mean_displacement(start, np.eye(4), pair.points) - 2
