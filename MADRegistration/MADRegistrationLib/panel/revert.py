"""The way back: all that the last run has changed, in the scene and in the views."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ..jobs.registration import SceneRegistration
from ..messages import Messages
from ..results import savedregistration
from ..results.resampledvolume import NotAsBefore
from ..run.run import Run
from ..scene import ownnodes
from ..scene.nodenames import namesOf
from ..selection.selection import Selection
from ..translation import _
from ..views import colors
from ..views.snapshot import Snapshot


class RevertView(Protocol):
    """What the widget can show of it."""

    def setRevertEnabled(self, isEnabled: bool) -> None: ...


class Revert:
    """What the views showed before the last run, and the registrations that can be taken back."""

    def __init__(self, view: RevertView, messages: Messages, selection: Selection, run: Run) -> None:
        self._view, self._messages, self._selection, self._run = view, messages, selection, run
        self._snapshot: Snapshot | None = None

    def update(self) -> None:
        """Show whether there is a way back."""
        self._view.setRevertEnabled(self.isPossible)

    def remember(self) -> None:
        """A run begins."""
        self._snapshot = Snapshot()

    def forget(self) -> None:
        """The scene goes."""
        self._snapshot = None

    def restoreViews(self) -> None:
        """Show what the views showed before."""
        if self._snapshot is not None:
            self._snapshot.restore()

    @property
    def isPossible(self) -> bool:
        return bool(self._revertible())

    def _revertible(self) -> list[SceneRegistration] | list[savedregistration.SavedRegistration]:
        """The last run, or what is left of it in a scene that was saved and loaded."""
        if self._run.isRunning or self._selection.parameters is None:
            return []
        return [one for one in self._run.queue.registrations if one.canRevert] or savedregistration.newest()

    def revert(self) -> None:
        """Put everything back to what it was before the last run."""
        left, parameters = [], self._selection.parameters
        for registration in reversed(self._revertible()):
            if registration.madeTransform and parameters.outputTransform is registration.transform:
                parameters.outputTransform = None
            colors.hide(registration.moving)
            left.append(registration.revert())
        self.restoreViews()
        self.forget()
        ownnodes.removePictures()
        self._messages.setMessage(_summary(left), False)


def _summary(left: Sequence[NotAsBefore]) -> str:
    """What has become of the scene."""
    overwritten, edited = (
        [node for node in nodes if node is not None] for nodes in zip(*(left or [(None, None)]), strict=True)
    )
    text = _("Everything is as it was before the registration.")
    if overwritten and edited:
        text = _(
            "Everything is as it was before the registration, but {overwritten} stays resampled, as what it showed "
            "before was not saved, and {edited} keeps the voxels that it was given since."
        )
    elif overwritten:
        text = _(
            "Everything is as it was before the registration, "
            "but {overwritten} stays resampled: what it showed before was not saved."
        )
    elif edited:
        text = _(
            "Everything is as it was before the registration, but {edited} keeps the voxels that it was given since."
        )
    return text.format(overwritten=namesOf(overwritten), edited=namesOf(edited))
