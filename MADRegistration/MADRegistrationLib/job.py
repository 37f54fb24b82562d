"""Work that the worker does for the scene, without ever waiting: voxels out, events in, an end.

A job ends in one of three ways: ``done``, ``cancelled`` or ``failed``; in the last two the scene is as it was before.
"""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import slicer

from madreg.errors import InputError

from . import masks, volumes
from .client import WorkerClient

_numbers = itertools.count(1)

MESSAGE_OF_ERROR = {
    "input": "{message}",
    "memory": "The computer ran out of memory ({message}): close other programs or volumes, crop the volumes to the "
    "region of interest (module Crop Volume), or choose the CPU. Nothing was changed. The log is {log}",
    "internal": "The registration failed ({message}): nothing was changed. The log is {log}",
}


@dataclass(frozen=True)
class Progress:
    """Where a job stands, for the panel; what is not known yet is None."""

    stage: str
    fraction: float
    secondsLeft: float | None = None
    errorMm: float | None = None


class SceneJob:
    """One job under way, or over.  Call :meth:`start`, then :meth:`poll` often while :attr:`state` is ``running``.

    Attributes:
        fixed, moving: the volumes that it is about; when one of them is deleted, the job fails.
        state: ``new``, ``running``, ``done``, ``cancelled`` or ``failed``.
        message: for ``failed``, one sentence for the user.
    """

    def __init__(
        self,
        client: WorkerClient,
        fixed: slicer.vtkMRMLScalarVolumeNode,
        moving: slicer.vtkMRMLScalarVolumeNode,
        onProgress: Callable[[Progress], None] | None = None,
    ) -> None:
        self.fixed, self.moving = fixed, moving
        self.state, self.message = "new", ""
        self._client = client
        self._onProgress = onProgress or (lambda progress: None)

    # --- what each kind of job does ------------------------------------------------------------------------------

    def _prepare(self) -> None:
        """Check the inputs; raise InputError.  The scene must not be changed."""

    def _command(self) -> Iterator[None]:
        """Write files a piece at a time (yield in between); return the command to send, without its job number."""
        raise NotImplementedError

    def _record(self, event: dict[str, Any]) -> None:
        """Remember progress; called for every one."""

    def _follow(self, event: dict[str, Any]) -> None:
        """Show progress; called for the newest only."""

    def _finish(self, event: dict[str, Any]) -> Iterator[None]:
        """Take the result into the scene, a piece at a time; OSError or ValueError if its files cannot be read."""
        raise NotImplementedError

    def _undo(self) -> None:
        """Put the scene back."""

    # --- what they have in common --------------------------------------------------------------------------------

    def start(self) -> None:
        """Check the inputs and begin.

        Raises:
            InputError: with a sentence for the user; nothing has been changed.
        """
        self._prepare()
        self._number = next(_numbers)
        try:
            self._client.start()
            self._folder = self._client.folder / str(self._number)
            self._folder.mkdir()
        except OSError as error:
            raise InputError(f"The registration process cannot be started: {error}") from error
        self._steps = self._send()
        self._isSent = self._isEnding = False
        self.state = "running"
        self._onProgress(Progress("preparing", 0.0))

    def _send(self) -> Iterator[None]:
        command = yield from self._command()
        self._client.send(job=self._number, **command)
        self._isSent = True

    def _write(
        self, node: slicer.vtkMRMLScalarVolumeNode, role: str, mask: slicer.vtkMRMLNode | None = None
    ) -> Iterator[None]:
        """Write a volume and its mask; returns their description for the worker."""
        image = volumes.imageOfVolume(node)
        description = {"name": image.name, "mask": None, **(yield from self._writeImage(image, role))}
        if mask is not None:
            maskImage = masks.imageOf(mask)
            yield
            masks.checkInside(maskImage, image)
            description["mask"] = yield from self._writeImage(maskImage, f"{role}-mask")
        return description

    def _writeImage(self, image: volumes.Image, role: str) -> Iterator[None]:
        path = self._folder / f"{role}.npy"
        yield from volumes.write(image, path)
        return {"voxels": str(path), "matrix": image.matrix.tolist()}

    @property
    def _outputPath(self) -> Path:
        """Where the worker writes voxels for the scene."""
        return self._folder / "output.npy"

    def poll(self) -> None:
        """Do a little of what there is to do: one piece to write, whatever the worker has said."""
        if self.state != "running":
            return
        deleted = [f'"{node.GetName()}"' for node in (self.fixed, self.moving) if node.GetScene() is None]
        if deleted:
            verb = "was" if len(deleted) == 1 else "were"
            return self._giveUp(f"{' and '.join(deleted)} {verb} deleted: the registration was stopped.")
        try:
            if next(self._steps, self) is self and self._isEnding:
                return self._end()
            if not self._isEnding:
                self._hear()
        except InputError as error:
            return self._giveUp(str(error))
        except (OSError, ValueError) as error:
            what = "result could not be read" if self._isEnding else f"volumes could not be written to {self._folder}"
            return self._giveUp(f"The {what}: {error}")

    def _hear(self) -> None:
        """Take in what the worker has said."""
        latest = None
        for event in self._client.poll():
            if event["event"] == "lost":
                return self._fail(event["message"])
            if event.get("job") != self._number:
                continue
            if event["event"] == "error":
                log = self._client.keepLog()
                return self._fail(MESSAGE_OF_ERROR[event["kind"]].format(message=event["message"], log=log))
            if event["event"] == "result":
                self._steps, self._isEnding = self._finish(event), True
                break
            self._record(event)
            latest = event
        if latest is not None:
            if not self._isEnding:  # only the newest pose is worth drawing
                self._follow(latest)
            self._onProgress(Progress(latest["stage"], latest["fraction"], latest["seconds_left"], latest["error_mm"]))
        if self._isEnding:
            self._onProgress(Progress("finishing", 1.0))

    def _end(self) -> None:
        self._removeFiles()
        self.state = "done"

    def cancel(self) -> None:
        """Stop at once: the worker is killed and the scene put back."""
        if self.state == "running":
            self._client.stop()
            self._undo()
            self.state = "cancelled"

    def _giveUp(self, message: str) -> None:
        """End it from this side: the worker, if it computes, is stopped."""
        if self._isSent and not self._isEnding:
            self._client.stop()
        self._fail(message)

    def _fail(self, message: str) -> None:
        self._undo()
        self._removeFiles()
        self.message, self.state = message, "failed"

    def _removeFiles(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)
