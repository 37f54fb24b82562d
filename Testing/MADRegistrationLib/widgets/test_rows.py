"""Rows of results in a table that is as narrow as the panel."""

from types import SimpleNamespace

import pytest


class FakeTable:
    """A table widget whose texts are as wide as ``widths``."""

    rowCount = 2

    def __init__(self, widths, width):
        self._contents, self._widths, self._width = widths, [0] * len(widths), width
        self.columnWidth, self.setColumnWidth = self._widths.__getitem__, self._widths.__setitem__

    def viewport(self):
        return SimpleNamespace(width=self._width)

    def resizeColumnsToContents(self):
        self._widths[:] = self._contents

    def resizeRowsToContents(self):
        assert sum(self._widths) <= max(self._width, 326)  # the remarks wrap at the width that they have


@pytest.mark.parametrize("width", [326, 900])
def test_remarks_are_in_sight_whatever_the_names(width):
    from MADRegistrationLib.widgets import rows

    table = FakeTable([65, 644, 58, 870], width)  # as measured in a panel of 360 px
    rows._fit(table)
    assert table.columnWidth(1) == rows.WIDEST_NAME
    assert sum(map(table.columnWidth, range(4))) == width and table.columnWidth(3) >= 110
