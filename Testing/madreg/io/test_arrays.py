"""Arrays of any type and order, whole or refused, and from many threads at once."""

import ast
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from madreg.io.arrays import load_array


@pytest.mark.parametrize("kind", ["<f4", ">i2", "|u1", "<f8", "|b1", "<u4"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_what_numpy_saves_is_what_is_loaded(tmp_path, kind, order):
    array = np.asarray(np.arange(24).reshape(2, 3, 4) % 2, dtype=kind, order=order)
    np.save(tmp_path / "a.npy", array)
    found = load_array(tmp_path / "a.npy")
    assert found.dtype == array.dtype and (found == array).all()


@pytest.mark.parametrize("shape", [(), (0,), (5,), (2, 2)])
def test_any_shape(tmp_path, shape):
    np.save(tmp_path / "a.npy", np.ones(shape))
    assert load_array(tmp_path / "a.npy").shape == shape


def test_what_is_cut_off_or_no_array_is_refused(tmp_path):
    np.save(tmp_path / "a.npy", np.ones(100))
    (tmp_path / "cut.npy").write_bytes((tmp_path / "a.npy").read_bytes()[:-3])
    np.save(tmp_path / "object.npy", np.array([{}], object))
    (tmp_path / "no.npy").write_bytes(b"nothing of the kind")
    for name in ("cut.npy", "object.npy", "no.npy"):
        with pytest.raises(ValueError, match=r"."):
            load_array(tmp_path / name)


def test_threads_that_evaluate_do_no_harm(tmp_path):
    np.save(tmp_path / "a.npy", np.ones((2, 3)))

    def work(number):
        if number % 2:
            return ast.literal_eval("(2, 3)")
        return load_array(tmp_path / "a.npy").shape

    with ThreadPoolExecutor(2) as pool:
        assert set(pool.map(work, range(400))) == {(2, 3)}
