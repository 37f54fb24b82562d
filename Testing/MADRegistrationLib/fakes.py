"""A worker whose registrations are made up, for tests of everything around them.  Started as a script.

What it does depends on ``settings["seed"]``: see :func:`perform`.  The real worker's own loop runs around it.
"""

import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "MADRegistration"))

import numpy as np
import SimpleITK as sitk

from madreg.batch.work import failure
from madreg.commands import worker, worker_jobs, worker_scans
from madreg.errors import InputError
from madreg.image.geometry import Grid, apply
from madreg.image.transform import Transform
from madreg.io.resampling import resample

QUICK, SLOW, CRASH, BAD_INPUT, NO_MEMORY, BUG, SILENT, CHILD, DEVICES_BREAK, FAILED, WAITING = range(11)

SHIFT = np.array([[1.0, 0, 0, 10], [0, 1, 0, -20], [0, 0, 1, 30], [0, 0, 0, 1]])


def wait_for_the_test():
    """Until the test has done what it does meanwhile, and calls the fixture ``resume``."""
    end = time.monotonic() + 60
    while not Path(os.environ["MADREG_FAKES_RESUME"]).exists() and time.monotonic() < end:
        time.sleep(0.01)


def perform(command, say):
    kind = command["settings"]["seed"]
    report = worker_jobs.progress_reporter(say, command["job"])
    report(SimpleNamespace(stage="search", fraction=0.5, transform=Transform(SHIFT / 2 + np.eye(4) / 2), error_mm=12.5))
    if kind == CRASH:
        os._exit(3)
    elif kind == BAD_INPUT:
        raise InputError("CT has the same value in every voxel: give an image that shows something.")
    elif kind == NO_MEMORY:
        raise MemoryError("Unable to allocate 64 GiB")
    elif kind == BUG:
        print("a stray print must not disturb the events")
        raise KeyError("oops")
    elif kind in (SLOW, CHILD):
        if kind == CHILD:
            child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
            say(
                "progress",
                job=command["job"],
                stage=f"child {child.pid}",
                fraction=0.6,
                matrix=SHIFT.tolist(),
                error_mm=None,
                seconds_left=None,
            )
        time.sleep(600)
    elif kind == WAITING:
        wait_for_the_test()
    fixed, moving = (worker_scans.image_of(command[role]) for role in ("fixed", "moving"))
    if command["resampled"]:
        resampled = resample(moving, fixed, Transform(SHIFT), **command["resampling"])
        np.save(command["resampled"], sitk.GetArrayFromImage(resampled), allow_pickle=False)
    worst = write_error_map(command) if command["settings"]["measure"] == "nmi" else {}
    return {
        **worst,
        **structures_of(command),
        "verdict": "failed" if kind == FAILED else "check",
        "matrix_fixed_to_moving_lps": SHIFT.tolist(),
        "madreg": "0",
        "settings": command["settings"],
        "error_before_mm": 37.4,
        "error_after_mm": None,
        "overlap": 0.9,
        "seconds": 0.1,
        "device": "CPU",
        "notices": [],
    }


def assess(command, say):
    """2.5 mm, with a map unless the seed is FAILED; the transform that came is in the notices."""
    kind = command["settings"]["seed"]
    transform = Transform(command["transform"])
    report = worker_jobs.progress_reporter(say, command["job"])
    report(SimpleNamespace(stage="estimate", fraction=0.5, transform=transform, error_mm=None))
    if kind == SLOW:
        time.sleep(600)
    elif kind == BUG:
        raise KeyError("oops")
    elif kind == WAITING:
        wait_for_the_test()
    placed = worker_scans.image_of(command["moving"])
    origin = transform.inverse().matrix[:3, :3] @ placed.GetOrigin() + transform.inverse().matrix[:3, 3]
    return {
        **({} if kind == FAILED else write_error_map(command)),
        **structures_of(command),
        "madreg": "0",
        "verdict": "aligned",
        "error_mm": 2.5,
        "bound_mm": 4.25,
        "overlap": 0.9,
        "little_overlap": False,
        "seconds": 0.1,
        "device": "CPU",
        "notices": [f"Moving voxel 0 lies at {np.round(origin, 3).tolist()}."],
    }


WORST_MM, WORST_INDEX = 17.5, (4, 3, 2)


def write_error_map(command):
    """At half the fixed image's resolution: 2 mm, 0 in the first slice, one worst voxel.  Returns what is reported."""
    fixed = worker_scans.image_of(command["fixed"])
    grid = Grid.of_image(fixed)
    coarse = Grid(tuple((n + 1) // 2 for n in grid.size), grid.matrix @ np.diag([2.0, 2, 2, 1]))
    voxels = np.full(coarse.shape, 2.0, np.float32)
    voxels[0] = 0
    voxels[WORST_INDEX[::-1]] = WORST_MM
    sitk.WriteImage(coarse.as_image(voxels), command["error_map"])
    return {"worst_mm": WORST_MM, "worst_point_lps": apply(coarse.matrix, np.array(WORST_INDEX)).tolist()}


def structures_of(command):
    """Every structure that came, with its number of voxels on the fixed image as volume and a bound of 3 mm."""
    given = worker_scans.structures_of(command)
    if given is None:
        return {}
    given.check()
    first = given.load(worker_scans.ScanArray(command["fixed"]).load())
    found = sorted((label, name, one.labels) for one in (first, *first.others) for label, name in one.names.items())
    return {
        "structures": [
            {
                "name": name,
                "volume_ml": float((labels == label).sum()),
                "known": 1.0,
                "mean_mm": 1.25,
                "bound_mm": 3.0,
                "largest_mm": None,
            }
            for label, name, labels in found
        ]
    }


def pair(command):
    """What the real one returns, by the name of the moving image; without registering."""
    task = command["task"]
    moving = task["pair"]["moving"]
    if "crash" in moving:
        os._exit(3)
    if "slow" in moving:
        time.sleep(600)
    if "bad" in moving:
        return failure(task, "error", f"{moving} cannot be read.")
    same = ("id", "fixed", "moving", "files")
    settings = {key: task["pair"][key] for key in ("type", "measure", "seed")}
    return {
        **{key: task["pair"][key] for key in same},
        "fingerprint": task["fingerprint"],
        "state": "done",
        "verdict": "failed" if "other" in moving else "check",
        "error_after_mm": 3.25,
        "overlap": 0.9,
        "seconds": 0.1,
        "device": "CPU",
        "settings": settings,
        "notices": ["Little in common."],
        "matrix_fixed_to_moving_lps": SHIFT.tolist(),
    }


if __name__ == "__main__":
    worker_jobs.register, worker_jobs.assess, worker_jobs.pair = perform, assess, pair
    if "--broken" in sys.argv:
        worker.devices = lambda: 1 / 0
    else:
        worker.devices = lambda: [{"name": "cpu", "text": "CPU, 8 threads"}]
    if "--silent" in sys.argv:
        time.sleep(600)
    worker.main(sys.argv[-1] if len(sys.argv) > 1 else None)
