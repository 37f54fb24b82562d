"""What tests share: a view without Qt, a parameter node without Slicer's wrapper, the timer, and some matrices."""

import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import slicer

from MADRegistrationLib.selection import parameters as p

FAKES = Path(__file__).with_name("fakes.py")
QUICK, SLOW, CRASH, BAD_INPUT, NO_MEMORY, BUG, SILENT, CHILD, DEVICES_BREAK, FAILED, WAITING = range(
    11
)  # as in fakes.py

OBLIQUE = np.array([[0.9, -0.3, 0.6, 12.0], [0.35, 1.1, -0.5, -30.0], [-0.3, 0.4, 2.4, 55.0], [0, 0, 0, 1.0]])
LEFT_HANDED = OBLIQUE @ np.diag([-1.0, 1.0, 1.0, 1.0])
TURN = np.array([[0.0, -1, 0, 40], [1, 0, 0, -7], [0, 0, 1, 3], [0, 0, 0, 1]])
"""Where voxels lie, index to RAS, and a rotation by 90 degrees, which is a parent transform."""


class FakeView:
    """Remembers the last of everything that was shown, and all questions; answers them with ``answer``.  It is every
    part of the panel's view."""

    def __init__(self):
        self.messages = self.selection = self.run = self.result = self.batch = self.files = self.inspection = self
        self.shown, self.questions, self.answer = {}, [], False

    def confirm(self, text):
        self.questions.append(text)
        return self.answer

    def poll(self):
        self.isPolling = True

    def __getattr__(self, name):
        if not name.startswith("set"):
            raise AttributeError(name)
        return lambda *values: self.shown.__setitem__(name[3:], values if len(values) > 1 else values[0])


def makeParameters(**values):
    return SimpleNamespace(
        **{
            "fixedVolume": None,
            "movingVolume": None,
            "fixedMask": None,
            "movingMask": None,
            "structures": None,
            "outputTransform": None,
            "resampledVolume": None,
            "transformType": p.TransformType.RIGID,
            "initialization": p.Initialization.SEARCH,
            "measure": p.Measure.DEFAULT,
            "device": "auto",
            "seed": QUICK,
            "followProgress": True,
            "moveAlong": True,
            "initialTransform": None,
            "interpolation": p.Interpolation.LINEAR,
            "hasFillValue": False,
            "fillValue": 0.0,
            "voxelType": p.VoxelType.MOVING,
        }
        | values
    )


def run(panel, until=lambda: False, seconds=120):
    end = time.monotonic() + seconds
    while panel.isRunning and not until():
        assert time.monotonic() < end
        panel.poll()
        time.sleep(0.01)


def finish(panel):
    """Wait also for what nobody waits for."""
    end = time.monotonic() + 60
    while panel.controllers.run.needsPolling:
        assert time.monotonic() < end
        panel.poll()
        time.sleep(0.01)


def layers():
    return [
        (n.GetBackgroundVolumeID(), n.GetForegroundVolumeID(), n.GetForegroundOpacity())
        for n in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")
    ]
