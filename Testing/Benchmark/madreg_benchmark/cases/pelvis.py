"""Cases of the pelvis: series of one examination each, of two patients of ProstateX (TCIA, CC BY 3.0)."""

from __future__ import annotations

import re
from pathlib import Path

from madreg.errors import InputError
from madreg_benchmark.cases.case import Case, read_cases, save_cases

SERIES = re.compile(r"_(?P<kind>t1|t2|pd|adc|dwi|dce)(?:tra|cor|sag)?\b")


def pelvis_contrast(name: str) -> str:
    """Kinds of scan in a case's name, sorted: ``01p0_t2tra-p0_adc`` is ``ADC-T2``.

    Raises:
        InputError: if the name does not hold two of them.
    """
    kinds = [found["kind"].upper() for found in SERIES.finditer(name)]
    if len(kinds) != 2:
        raise InputError(f"The case {name} does not name two series such as t2tra and adc.")
    return "-".join(sorted(kinds))


def assemble_pelvis(data: Path, out: Path) -> list[Case]:
    """Write ``cases.json`` into ``out``; the scans stay where they are.

    The truth of pairs that are good to 1 mm is a rigid match on which two independent tools agree; that of the others
    is the scanner's, between series of which the patient moved by 1 to 4 mm.

    Args:
        data: folder with ``val/pelvis``.

    Raises:
        InputError: if ``val/pelvis/pairs.json`` is missing or cannot be read, or a scan it names is missing.
    """
    listed = data / "val" / "pelvis" / "pairs.json"
    if not listed.is_file():
        raise InputError(f"{listed} does not exist; give the folder that holds val.")
    cases = read_cases(listed, pelvis_contrast)
    out.mkdir(parents=True, exist_ok=True)
    save_cases(out, cases)
    return cases
