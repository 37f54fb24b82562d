"""Names of devices, without torch."""

from __future__ import annotations

import re
from typing import Any

from ..errors import InputError

DEVICES = ("auto", "cpu", "cuda", "mps")


def check_device(name: Any) -> str:
    """The name of a device, if it has the form of one.

    Raises:
        InputError: if not.
    """
    if not isinstance(name, str) or not re.fullmatch("auto|cpu|cpu:0|mps|mps:0|cuda(:[0-9]{1,4})?", name):
        raise InputError(f'There is no device "{name}": choose one of {", ".join(DEVICES)}.')
    return name
