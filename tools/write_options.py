"""Write the tables of options in docs/command-line.md from the parsers of the commands.

Run it after a change of an option; a test compares the page with what it would write.
"""

from __future__ import annotations

import argparse
import re
import sys
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "command-line.md"
MARK = re.compile(r"(<!-- options of (\w+) -->\n).*?(<!-- end of options -->\n)", re.DOTALL)

sys.path.insert(0, str(ROOT / "MADRegistration"))


def parser_of(command: str) -> argparse.ArgumentParser:
    """The parser of a command of ``madreg``."""
    parser = argparse.ArgumentParser(prog=f"madreg {command}", add_help=False)
    import_module(f"madreg.commands.{command}").add_arguments(parser)
    return parser


def table(command: str) -> str:
    """The options of a command as a Markdown table."""
    rows = ["| option | meaning |", "| --- | --- |"]
    for action in parser_of(command)._actions:
        name = ", ".join(action.option_strings[:1]) or ""
        value = "" if action.nargs == 0 else str(action.metavar or "|".join(map(str, action.choices or ())))
        meaning = (action.help or "") % {"default": action.default}
        required = " (required)" if action.required and name else ""
        cells = [f"`{' '.join(filter(None, (name, value)))}`", meaning + required]
        rows.append("| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |")
    return "\n".join(rows) + "\n"


def filled_in(text: str) -> str:
    """A page with its tables of options written anew."""
    return MARK.sub(lambda found: f"{found[1]}\n{table(found[2])}\n{found[3]}", text)


if __name__ == "__main__":
    PAGE.write_text(filled_in(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
