"""Labels that are as high as their texts."""

from types import SimpleNamespace

from MADRegistrationLib.widgets.label import setLabel


class FakeLabel:
    """A label whose text needs a line of 15 pixels for every 20 letters; Qt never says less than the minimum."""

    def __init__(self, isShown=True):
        self._isShown, self._minimum, self.text, self.visible = isShown, 0, "", False

    def setVisible(self, isVisible):
        self.visible = isVisible and self._isShown

    def setMinimumHeight(self, height):
        self._minimum = height

    def heightForWidth(self, width):
        return max(15 * (len(self.text) * 100 // width // 20 + 1), self._minimum)


def test_a_label_is_as_high_as_its_text():
    """After a long text, and before the panel is on the screen, where its width is not the one it will have."""
    ui, label = SimpleNamespace(inspectCollapsibleButton=SimpleNamespace(width=100)), FakeLabel()
    for text, height in (("Two lines of more than 20.", 30), ("One line.", 15), ("", 0)):
        setLabel(ui, label, text)
        assert (label.text, label._minimum, label.visible) == (text, height, bool(text))
    hidden = FakeLabel(isShown=False)
    ui.inspectCollapsibleButton.width = 10
    setLabel(ui, hidden, "One line.")
    assert hidden._minimum == 0
