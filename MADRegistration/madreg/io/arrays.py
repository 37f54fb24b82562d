"""NumPy's own files (``.npy``), read in any thread.

``numpy.load`` evaluates the header with :mod:`ast`, which in Python 3.11 and older fails at random when another thread
does so as well (CPython issue 106905), and images are read in threads.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

_HEADER = re.compile(
    rb"\s*\{'descr': '([<>|=]?[biufc]\d+)', 'fortran_order': (True|False), 'shape': \(([\d, ]*)\), *\}\s*"
)


def load_array(path: str | Path) -> np.ndarray:
    """The array of numbers in a ``.npy`` file.

    Raises:
        OSError: if there is no such file.
        ValueError: if it is not whole, or holds anything but numbers.
    """
    with Path(path).open("rb") as file:
        version = np.lib.format.read_magic(file)
        length = int.from_bytes(file.read(2 if version == (1, 0) else 4), "little")
        header = _HEADER.fullmatch(file.read(length))
        if header is None:
            raise ValueError(f"{path} holds no array of numbers")
        shape = [int(n) for n in header[3].replace(b" ", b"").split(b",") if n]
        array = np.fromfile(file, np.dtype(header[1].decode()), int(np.prod(shape)))
    if array.size != np.prod(shape):
        raise ValueError(f"{path} is cut off")
    return array.reshape(shape, order="F" if header[2] == b"True" else "C")
