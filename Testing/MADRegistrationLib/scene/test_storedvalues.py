"""What stands in attributes of nodes, as far as it can be read."""

import numpy as np
import pytest

from MADRegistrationLib.scene import storedvalues


@pytest.mark.parametrize("text", [None, "", "x", "null", "[]", "1", '"a"', "{", "NaN"])
def test_what_is_no_object(text):
    assert storedvalues.objectOf(text) is None


@pytest.mark.parametrize("value", [None, "", "x", "{}", "[[1, 2], [3]]", "[1, 2]", [["a"] * 4] * 4, [[np.nan] * 4] * 4])
def test_what_is_no_matrix(value):
    assert storedvalues.matrixOf(value) is None


@pytest.mark.parametrize("text", [None, "", "1 2", "1 2 x", "1 2 nan", "1 2 3 4"])
def test_what_are_not_three_numbers(text):
    assert storedvalues.numbersOf(text, 3) is None


def test_what_can_be_read():
    assert storedvalues.objectOf('{"a": 1}') == {"a": 1}
    assert (storedvalues.matrixOf(str(np.eye(4).tolist())) == np.eye(4)).all()
    assert (storedvalues.matrixOf(np.eye(4).tolist()) == np.eye(4)).all()
    assert storedvalues.numbersOf("1 -2.5 3e1", 3).tolist() == [1, -2.5, 30]
    assert [storedvalues.isNumber(one) for one in (1, 2.5, True, "1", None)] == [True, True, False, False, False]
