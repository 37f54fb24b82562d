"""Fixtures of a batch."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # workers import fake_work by its name


@pytest.fixture
def write_table(tmp_path):
    """Function: write lines as a CSV file and return its path."""

    def write(*lines, name="table.csv", encoding="utf-8"):
        path = tmp_path / name
        path.write_text("\n".join(lines) + "\n", encoding=encoding)
        return path

    return write
