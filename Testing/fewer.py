"""Less work in registrations, for tests of something else: fewer poses, blocks, samples and steps."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from madreg.descent.objective import Schedule
from madreg.pipeline import initialization, refining, single_measure
from madreg.quality import block_matching, shape


@contextmanager
def fewer_poses_and_blocks() -> Iterator[None]:
    """Of the default 400 rotations and 120 descents of a search a third, and blocks that do not overlap."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(initialization, "ROTATIONS", 150)
        patch.setattr(initialization, "SEEDS", 40)
        patch.setattr(block_matching, "STRIDE_MM", 2 * block_matching.HALF_MM)
        yield


@contextmanager
def fewer_samples() -> Iterator[None]:
    """A third of the samples of the fine stage, another draw of which may move the result by half a millimetre."""
    with pytest.MonkeyPatch.context() as patch:
        for module, name in ((refining, "FINE"), (refining, "FINE_RIGID"), (shape, "FINE")):
            patch.setattr(module, name, replace(getattr(module, name), samples=30_000))
        yield


@contextmanager
def fewer_steps() -> Iterator[None]:
    """A third of the steps on one measure alone, and one round of descents on each set of features."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("SCHEDULE", "FINEST"):
            patch.setattr(single_measure, name, _shorter(getattr(single_measure, name)))
        for name in ("COARSE", "STRETCHED", "FINE"):
            patch.setattr(single_measure, name, (_shorter(getattr(single_measure, name)[0]),))
        yield


def _shorter(schedule: Schedule) -> Schedule:
    return replace(schedule, steps=schedule.steps // 3)
