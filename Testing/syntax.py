"""Python files as syntax trees; each is parsed once in a process."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path


@cache
def syntax_of(path: Path) -> ast.Module:
    """The syntax tree of a file; it is not to be changed."""
    return ast.parse(path.read_text(encoding="utf-8"))
