"""Text files of ITK that hold one linear transform, which ITK reads safely."""

from __future__ import annotations

import math
from pathlib import Path

LONGEST = 10_000
"""Bytes of a text file of one linear transform, at most."""

NUMBERS = {
    "AffineTransform": (12, 3),
    "MatrixOffsetTransformBase": (12, 3),
    "Similarity3DTransform": (7, 3),
    "VersorRigid3DTransform": (6, 3),
    "Euler3DTransform": (6, 4),
}
"""How many parameters and fixed parameters ITK's linear transforms have: the centre, and the order of Euler angles."""


def is_text_transform(path: str | Path) -> bool:
    """Whether a file is ITK's text of one linear 3D transform, with as many finite numbers as that has.

    Raises:
        OSError: if it cannot be opened.
    """
    with Path(path).open("rb") as file:
        content = file.read(LONGEST + 1)
    if len(content) > LONGEST or not content.isascii():
        return False
    lines = [line for line in content.decode("ascii").split("\n") if line and not line.startswith("#")]
    fields = [line.partition(": ") for line in lines]
    if [name for name, _, _ in fields] != ["Transform", "Parameters", "FixedParameters"]:
        return False
    kind, *parameters = (value for _, _, value in fields)
    name, _, ending = kind.partition("_")
    if name not in NUMBERS or ending not in ("double_3_3", "float_3_3"):
        return False
    return all(map(_are_numbers, parameters, NUMBERS[name]))


def _are_numbers(text: str, count: int) -> bool:
    """Whether a text is so many finite numbers."""
    try:
        numbers = [float(word) for word in text.split()]
    except ValueError:
        return False
    return len(numbers) == count and all(map(math.isfinite, numbers))
