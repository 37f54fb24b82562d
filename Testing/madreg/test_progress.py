"""Parts of a run report their share of the whole."""

import numpy as np
import pytest

from madreg.image.transform import Transform
from madreg.progress import Monitor, StageRecord


def test_parts_of_parts():
    heard = []
    monitor = Monitor(heard.append)
    part = monitor.part(0.5, 1.0).part(0.2, 0.6)
    part.report("fine", 0.0, Transform.identity())
    part.report("fine", 1.0, Transform(np.diag([2.0, 1.0, 1.0, 1.0])))
    assert [progress.fraction for progress in heard] == pytest.approx([0.6, 0.8])
    assert heard[1].transform.linear[0, 0] == 2.0 and heard[1].stage == "fine"


def test_all_parts_share_the_error_and_the_records():
    heard = []
    monitor = Monitor(heard.append)
    part = monitor.part(0.0, 0.5)
    part.estimated(1.5)
    part.record(StageRecord("coarse", "nmi", -1.0, -1.1, 0.2))
    monitor.report("fine", 1.0, Transform.identity())
    assert heard[0].error_mm == 1.5 and [record.name for record in monitor.records] == ["coarse"]


def test_without_a_callback_nothing_is_reported():
    monitor = Monitor()
    monitor.report("fine", 0.5, Transform.identity())
    assert not monitor.is_watched and not monitor.part(0.0, 0.1).is_watched
