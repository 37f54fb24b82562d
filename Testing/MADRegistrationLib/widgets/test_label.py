"""Labels that are as high as their texts, and as wide as the panel."""

import sys
from types import SimpleNamespace

import pytest

from MADRegistrationLib.widgets import label


class FakeLabel:
    """A label whose letters are 5 pixels wide and whose lines are 15 high; Qt never says less than the minimum."""

    def __init__(self, isShown=True):
        self._isShown, self._minimum, self.text, self.visible = isShown, 0, "", False

    def setVisible(self, isVisible):
        self.visible = isVisible and self._isShown

    def setMinimumHeight(self, height):
        self._minimum = height

    def heightForWidth(self, width):
        return max(15 * (5 * len(self.text) // width + 1), self._minimum)

    def fontMetrics(self):
        return self

    def elidedText(self, text, mode, width):
        return text if 5 * len(text) <= width else text[:3] + "..."


@pytest.fixture
def setLabel(monkeypatch):
    monkeypatch.setitem(sys.modules, "qt", SimpleNamespace(Qt=SimpleNamespace(ElideMiddle=1)))
    return label.setLabel


def test_a_label_is_as_high_as_its_text(setLabel):
    """After a long text, and before the panel is on the screen, where its width is not the one it will have."""
    ui, shownLabel = SimpleNamespace(inspectCollapsibleButton=SimpleNamespace(width=100)), FakeLabel()
    for text, height in (("Two lines of more than 20.", 30), ("One line.", 15), ("", 0)):
        setLabel(ui, shownLabel, text)
        assert (shownLabel.text, shownLabel._minimum, shownLabel.visible) == (text, height, bool(text))
    hidden = FakeLabel(isShown=False)
    ui.inspectCollapsibleButton.width = 10
    setLabel(ui, hidden, "One line.")
    assert hidden._minimum == 0 and hidden.text == "One line."


def test_no_name_is_wider_than_a_label(setLabel):
    """Lines break at spaces, hyphens and slashes: paths are kept."""
    ui, shownLabel = SimpleNamespace(inspectCollapsibleButton=SimpleNamespace(width=100)), FakeLabel()
    for text, shown in (
        ("sub_01_ses_02_acq_mprage_T1w was moved.", "sub... was moved."),
        ("<b>sub_01_ses_02_acq_mprage_T1w</b> was moved.", "<b>sub...</b> was moved."),
        ("/home/someone/.cache/MADRegistration/worker-of-today.log", None),
    ):
        setLabel(ui, shownLabel, text)
        assert shownLabel.text == (shown or text)
