"""Bring the file lists in MADRegistration/CMakeLists.txt and pyproject.toml in step with the files that git knows.

python tools/list_files.py
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MODULE = ROOT / "MADRegistration"


def tracked() -> list[str]:
    """Files of the module folder, relative to it, sorted."""
    listed = subprocess.run(["git", "ls-files", "-z", "."], cwd=MODULE, capture_output=True, text=True, check=True)
    return sorted(name for name in listed.stdout.split("\0") if name and (MODULE / name).is_file())


def replace_list(text: str, head: str, items: list[str], tail: str) -> str:
    """``text`` with the lines between ``head`` and ``tail`` replaced by ``items``."""
    body = "".join(f"  {item}\n" for item in items)
    return re.sub(re.escape(head) + r"\n(?:.*\n)*?" + re.escape(tail), lambda _: f"{head}\n{body}{tail}", text, count=1)


def main() -> None:
    files = tracked()
    scripts = [name for name in files if name.endswith(".py")]
    resources = [name for name in files if name.startswith(("Resources/", "madreg/resources/")) and name not in scripts]
    cmake = MODULE / "CMakeLists.txt"
    text = replace_list(cmake.read_text(), "set(MODULE_PYTHON_SCRIPTS", scripts, "  )")
    cmake.write_text(replace_list(text, "set(MODULE_PYTHON_RESOURCES", resources, "  )"))
    packages = [name.removesuffix("/__init__.py").replace("/", ".") for name in scripts if name.endswith("__init__.py")]
    wanted = [f'"{name}",' for name in packages if name.split(".")[0] == "madreg"]
    project = ROOT / "pyproject.toml"
    project.write_text(replace_list(project.read_text(), "packages = [", wanted, "]"))


if __name__ == "__main__":
    main()
