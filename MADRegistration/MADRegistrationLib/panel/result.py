"""What the panel says of the two chosen volumes as they lie now, and the ways back."""

from __future__ import annotations

import contextlib
from html import escape
from typing import Protocol

import slicer

from madreg.errors import InputError
from madreg.system.lengths import millimeters

from ..jobs.registration import SceneRegistration
from ..results import reporttext, storedreport
from ..scene.nodenames import namesOf
from ..scene.pose import SAME_MM, distanceMm, poseOf
from ..translation import _


class ResultView(Protocol):
    """What the widget can show of it."""

    def setResult(self, headline: str, details: str) -> None:
        """Two rich texts: the verdict with one number, and all else, which folds out."""

    def setAttempt(self, isThere: bool, isShown: bool) -> None:
        """The button that shows and hides a result whose verdict is failed."""


class Result:
    """The verdict and the numbers; they belong to two volumes and to a pose."""

    def __init__(self, view: ResultView) -> None:
        self._view = view
        self._attempt: SceneRegistration | None = None

    def keep(self, registration: SceneRegistration | None) -> None:
        """Remember the last registration, if its verdict is failed: the scene does not know of it."""
        isAttempt = registration is not None and registration.isAttempt
        self._attempt = registration if isAttempt else None

    def update(
        self,
        fixed: slicer.vtkMRMLScalarVolumeNode | None,
        moving: slicer.vtkMRMLScalarVolumeNode | None,
        isRunning: bool,
    ) -> None:
        """Show what is known of these two."""
        headline, details = "", ""
        attempt = None if isRunning else self._attemptOf(fixed, moving)
        with contextlib.suppress(InputError):  # the selection says why the two cannot be registered
            if attempt is not None and not attempt.isApplied:
                headline, details = reporttext.headline(attempt.report), reporttext.details(attempt.report)
                headline += _("<p>The moving volume stays where it was.</p>")
            elif not isRunning and (found := storedreport.find(fixed, moving)) is not None:
                headline, details = self._texts(found, moving)
        self._view.setResult(headline, details)
        self._view.setAttempt(attempt is not None, attempt is not None and attempt.isApplied)

    def _texts(self, found: storedreport.StoredReport, moving: slicer.vtkMRMLNode) -> tuple[str, str]:
        if found.isValid:
            return reporttext.headline(found.report), reporttext.details(found.report)
        if found.edited:
            text = _("The voxels of {names} were changed since the registration: the verdict no longer applies.")
            if found.report.get("is_assessment"):
                text = _("The voxels of {names} were changed since the assessment: the verdict no longer applies.")
            return escape(text.format(names=namesOf(found.edited)), quote=False), ""
        text = _('"{moving}" was moved by {distance} since it was registered: the verdict no longer applies.')
        if found.report.get("is_assessment"):
            text = _('"{moving}" was moved by {distance} since it was assessed: the verdict no longer applies.')
        return escape(text.format(moving=moving.GetName(), distance=millimeters(found.movedMm)), quote=False), ""

    def _attemptOf(
        self, fixed: slicer.vtkMRMLScalarVolumeNode | None, moving: slicer.vtkMRMLScalarVolumeNode | None
    ) -> SceneRegistration | None:
        """The attempt, if it is of these two, and they lie where it has left them."""
        attempt = self._attempt
        if attempt is None or attempt.state != "done" or attempt.fixed is not fixed or attempt.moving is not moving:
            return None
        try:
            if attempt.isApplied:
                if not attempt.canRevert:
                    return None
                found = storedreport.read(attempt.transform, fixed, moving)
                return attempt if found is not None and found.isValid else None
            isThere = distanceMm(attempt.poseBefore, poseOf(fixed, moving), moving) < SAME_MM
            return attempt if isThere and not storedreport.editedOf(attempt.report, fixed, moving) else None
        except InputError:
            return None

    def onAttempt(
        self, fixed: slicer.vtkMRMLScalarVolumeNode | None, moving: slicer.vtkMRMLScalarVolumeNode | None
    ) -> None:
        """Show the attempt, or put the moving volume back.

        Raises:
            InputError: if the scene does not allow it any more.
        """
        attempt = self._attemptOf(fixed, moving)
        if attempt is None:
            return
        if attempt.isApplied:
            attempt.hideAttempt()
        else:
            attempt.showAttempt()
