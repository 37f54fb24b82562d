"""The options of :mod:`madreg.settings` on the command line."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from typing import Any

from ..errors import InputError
from ..io.file_names import IMAGE_SUFFIXES
from ..settings import OPTIONS, Option, check_fill, check_seed
from ..system.device_names import check_device

IMAGES = ", ".join(IMAGE_SUFFIXES)
"""Endings of images that are written."""


def add_options(parser: argparse.ArgumentParser, *names: str) -> None:
    """Add some of :data:`madreg.settings.OPTIONS`; what is left out on the command line becomes the default."""
    for name in names:
        option = OPTIONS[name]
        parser.add_argument(
            option.flag,
            *option.former_flags,
            dest=option.name,
            default=option.default,
            help=_help(option),
            **_values(option),
        )


def add_images(parser: argparse.ArgumentParser, moving: str) -> None:
    """Add both images; ``moving`` is the help of the moving one."""
    parser.add_argument("fixed", metavar="FIXED", help="fixed image: NIfTI, NRRD, MHA or a folder of DICOM slices")
    parser.add_argument("moving", metavar="MOVING", help=moving)


def add_outputs(parser: argparse.ArgumentParser, report: str, overlay: str) -> None:
    """Add what registrations and assessments can write; ``report`` and ``overlay`` are the help of these."""
    error_map = f"estimated local error in mm over the fixed image, 0 where it is unknown: {IMAGES}"
    page = "page to keep or print, with pictures, numbers, settings and hashes of the files: .html"
    segmentation = "label map on the grid of the fixed image: the error of each structure goes into report and page"
    parser.add_argument("--report", metavar="OUT", help=report)
    parser.add_argument("--error-map", metavar="OUT", help=error_map)
    parser.add_argument("--overlay", metavar="OUT", help=overlay)
    parser.add_argument("--page", metavar="OUT", help=page)
    parser.add_argument("--segmentation", metavar="FILE", help=segmentation)


def _help(option: Option) -> str:
    """One line, then the values with what they mean."""
    text = option.help
    if option.choices:
        text += ": " + ", ".join(f"{choice.value} ({choice.help})" for choice in option.choices)
    default = "" if option.default is None else f"; default: {option.default}"
    return (text + default).replace("%", "%%")


def _values(option: Option) -> dict[str, Any]:
    """Which values argparse takes, and how it shows them."""
    if option.name == "seed":
        return {"type": _checked(lambda text: check_seed(int(text)), "a whole number"), "metavar": option.placeholder}
    if option.name == "fill":
        return {"type": _checked(lambda text: check_fill(float(text)), "a number"), "metavar": option.placeholder}
    if option.name == "device":
        return {"type": _checked(check_device, "a device"), "metavar": "|".join(option.values)}
    if option.choices:
        return {"type": option.normalized, "choices": option.values, "metavar": "|".join(option.values)}
    return {"metavar": option.placeholder}


def number(lowest: float, highest: float, whole: bool = True) -> Callable[[str], float]:
    """A parser of numbers in a range, both ends included."""

    def parsed(text: str) -> float:
        try:
            found = int(text) if whole else float(text)
        except ValueError:
            found = math.nan
        if not lowest <= found <= highest:
            kind = "a whole number" if whole else "a number"
            raise argparse.ArgumentTypeError(f'"{text}" is not {kind} from {lowest:g} to {highest:g}')
        return found

    return parsed


def _checked(parse: Callable[[str], Any], what: str) -> Callable[[str], Any]:
    """A parser whose complaint is one of argparse's."""

    def parsed(text: str) -> Any:
        try:
            return parse(text)
        except InputError as error:
            raise argparse.ArgumentTypeError(str(error).rstrip(".")) from error
        except ValueError as error:
            raise argparse.ArgumentTypeError(f'"{text}" is not {what}') from error

    return parsed
