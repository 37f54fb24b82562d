"""What is chosen in the selectors: whether it can be registered, why not, and which transform takes the result."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Protocol

import slicer

from madreg.errors import InputError

from ..inputs import Inputs
from ..scene import ownnodes
from ..scene.nodenames import namesOf
from ..scene.outputtransform import notAgreed, ownTransform
from ..scene.ownnodes import isOf
from ..scene.transforms import ancestors
from ..selection.parameters import Initialization, resamplingOf
from ..translation import _


class SelectionView(Protocol):
    """What the widget can show of it."""

    def setButton(self, text: str, isEnabled: bool, reason: str) -> None:
        """The one button, and the line below it that says why it is disabled."""

    def setAssessEnabled(self, isEnabled: bool) -> None:
        """The button to assess; where it is disabled, the same reason holds."""

    def setAlong(self, text: str) -> None:
        """The check box for what was drawn on the moving volume; hidden if there is no text."""

    def setHiddenVolumes(self, ids: list[str], fixedId: str | None) -> None:
        """Volumes that no selector offers, and the fixed one, which the list of many does not offer."""

    def confirm(self, text: str) -> bool:
        """Ask the user."""


class Selection:
    """The inputs of the next registration.

    Attributes:
        parameters: the parameter node, or None while there is no scene.
    """

    def __init__(self, view: SelectionView) -> None:
        self._view = view
        self.parameters: Any = None
        self._pair: tuple[Any, Any] = (None, None)
        self._initial: Any = None

    @property
    def fixed(self) -> slicer.vtkMRMLScalarVolumeNode | None:
        return None if self.parameters is None else self.parameters.fixedVolume

    @property
    def moving(self) -> slicer.vtkMRMLScalarVolumeNode | None:
        return None if self.parameters is None else self.parameters.movingVolume

    def update(self) -> None:
        """Show what is chosen; called whenever something has changed, but not while a registration runs."""
        if self.parameters is None:
            self._view.setButton(_("Register"), False, _("There is no scene."))
            self._view.setAssessEnabled(False)
            self._view.setAlong("")
            return
        self._followPair()
        self._followInitial()
        text, reason = self.button()
        self._view.setButton(text, not reason, reason)
        self._view.setAssessEnabled(self.canAssess)
        drawn = self._drawnBeside()
        self._view.setAlong(_("Move {names} along").format(names=namesOf(drawn)) if drawn else "")
        fixed = self.fixed
        self._view.setHiddenVolumes(ownnodes.ids(), None if fixed is None else fixed.GetID())

    def _followPair(self) -> None:
        """A new pair gets a transform of its own: the result of another is no output for it."""
        pair = (self.fixed, self.moving)
        if pair == self._pair:
            return
        self._pair = pair
        output = self.parameters.outputTransform
        isForeign = output is not None and ownnodes.isResult(output) and not isOf(output, *pair)
        if None not in pair and (output is None or isForeign):
            self.parameters.outputTransform = ownTransform(*pair)
        elif isForeign:
            self.parameters.outputTransform = None

    def _followInitial(self) -> None:
        """The search and the centers would not use an initial transform: the one that was chosen last is in force."""
        parameters, former = self.parameters, self._initial
        if parameters.initialTransform is not None and parameters.initialization.value != "none":
            if parameters.initialTransform is former:
                parameters.initialTransform = None
            else:
                parameters.initialization = Initialization.NONE
        self._initial = parameters.initialTransform

    def button(self) -> tuple[str, str]:
        """Text of the button, and why it is disabled; an empty reason if it is not."""
        if self.fixed is None or self.moving is None:
            return _("Register"), _("Choose a fixed and a moving volume.")
        try:
            self.inputs().check()
        except InputError as error:
            return _("Register"), str(error)
        return _("Register"), ""

    @property
    def canAssess(self) -> bool:
        """Whether the alignment of the two volumes can be assessed."""
        if self.fixed is None or self.moving is None:
            return False
        try:
            self.inputs().checkVolumes()
        except InputError:
            return False
        return True

    def inputs(self) -> Inputs:
        """What is chosen."""
        chosen = self.parameters
        inputs = Inputs(
            *(chosen.fixedVolume, chosen.movingVolume, chosen.fixedMask, chosen.movingMask),
            transform=chosen.outputTransform,
            resampled=chosen.resampledVolume,
            initial=chosen.initialTransform,
            resampling=resamplingOf(chosen),
            structures=chosen.structures,
        )
        return self.withDrawn(inputs)

    def _drawnBeside(self) -> list[slicer.vtkMRMLNode]:
        """What was drawn on the moving volume and only moves along if that is wished: not what lies under the output
        transform, which carries it in any case."""
        inputs = self.inputs()
        if inputs.moving is None or inputs.moving.GetScene() is None:
            return []
        output = inputs.transform or ownTransform(inputs.fixed, inputs.moving)
        return [node for node in inputs.drawn if output not in ancestors(node)]

    def withDrawn(self, inputs: Inputs) -> Inputs:
        """With what was drawn on the moving volume, if that is to move along."""
        isThere = inputs.moving is not None and inputs.moving.GetScene() is not None
        return replace(inputs, along=tuple(inputs.drawn)) if isThere and self.parameters.moveAlong else inputs

    def agreed(self, inputs: Inputs) -> Inputs | None:
        """The inputs, when the user agrees to all that the output transform would move; None if not."""
        output = inputs.transform or ownTransform(inputs.fixed, inputs.moving)
        others = [] if output is None else notAgreed(output, inputs.moving, inputs.along)
        if not others:
            return inputs
        question = _('The transform "{transform}" also carries {others}. Move that along with "{moving}"?')
        names = {"transform": output.GetName(), "others": namesOf(others), "moving": inputs.moving.GetName()}
        return replace(inputs, along=(*inputs.along, *others)) if self._view.confirm(question.format(**names)) else None
