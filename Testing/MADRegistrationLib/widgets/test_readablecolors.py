"""Colors of words on a light and on a dark background."""

import sys
from types import SimpleNamespace

import pytest

from MADRegistrationLib.results import verdict
from MADRegistrationLib.widgets import messages
from MADRegistrationLib.widgets.readablecolors import readable

LIGHT, DARK = (239, 239, 239), (53, 53, 53)
"""Windows of Qt's style, and of Slicer's dark one."""


def contrast(first, second):
    """As in the Web Content Accessibility Guidelines, of two colors in red, green and blue from 0 to 255."""

    def luminance(color):
        linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in (value / 255 for value in color)]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    lower, upper = sorted((luminance(first), luminance(second)))
    return (upper + 0.05) / (lower + 0.05)


@pytest.mark.parametrize("background", [LIGHT, DARK])
def test_verdicts_and_errors_can_be_read(background, monkeypatch):
    monkeypatch.setitem(sys.modules, "qt", SimpleNamespace(QPalette=SimpleNamespace(Window=1)))
    color = SimpleNamespace(lightness=lambda: background[0])
    widget = SimpleNamespace(palette=SimpleNamespace(color=lambda role: color))
    for text in (*verdict.COLORS.values(), messages.ERROR_STYLE.split()[-1].rstrip(";")):
        shown = readable(f'<b style="color:{text}">', widget).split("#")[1][:6]
        assert contrast([int(shown[n : n + 2], 16) for n in (0, 2, 4)], background) > 3.5, (text, shown)
