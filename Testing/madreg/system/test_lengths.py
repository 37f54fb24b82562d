"""Lengths in words: of a head with one decimal, of an insect with as many as it needs."""

import pytest

from madreg.system.lengths import millimeters, rounded


@pytest.mark.parametrize(
    ("value", "text"),
    [
        *((123.45, "123.5"), (0.57, "0.6"), (0.12, "0.1"), (0.0951, "0.1"), (0.0, "0.0"), (1e-4, "0.00010")),
        *((0.0949, "0.095"), (0.0423, "0.042"), (-0.0423, "-0.042"), (0.0073, "0.0073"), (0.00999, "0.0100")),
    ],
)
def test_two_digits_are_shown_of_what_one_decimal_would_hide(value, text):
    assert rounded(value) == text


def test_an_unknown_length_is_unknown():
    assert millimeters(None) == "unknown" and millimeters(0.042) == "0.042 mm"
