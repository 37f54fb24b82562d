"""No class is long: one that grows is two concepts."""

import ast
from pathlib import Path

import pytest

from syntax import syntax_of

ROOT = Path(__file__).resolve().parents[1]
LONGEST = 120


@pytest.mark.parametrize("folder", ["MADRegistration", "Testing"])
def test_no_class_is_longer_than_120_lines(folder):
    lengths = {
        f"{path.relative_to(ROOT).as_posix()}: {node.name}": node.end_lineno - node.lineno + 1
        for path in (ROOT / folder).rglob("*.py")
        for node in ast.walk(syntax_of(path))
        if isinstance(node, ast.ClassDef)
    }
    assert len(lengths) > 10
    assert {name: length for name, length in lengths.items() if length > LONGEST} == {}
