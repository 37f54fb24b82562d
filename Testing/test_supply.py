"""Where what is installed comes from: actions by commit, packages and Slicer by hash, no second package index."""

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


@pytest.fixture(scope="module")
def tool():
    spec = importlib.util.spec_from_file_location("slicer_checksum", ROOT / "tools" / "slicer_checksum.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned_by_commit(path):
    used = re.findall(r"uses:\s*(\S+)", path.read_text(encoding="utf-8"))
    assert used and all(re.fullmatch(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}", one) for one in used)


def test_there_is_no_second_package_index():
    files = [*WORKFLOWS, ROOT / "run.py", ROOT / "requirements.txt", *(ROOT / "requirements").glob("*.txt")]
    for path in files:
        assert "extra-index" not in path.read_text(encoding="utf-8"), path


def test_slicer_is_compared_with_its_checksum_before_it_is_unpacked():
    text = (ROOT / ".github" / "workflows" / "tests.yml").read_text(encoding="utf-8")
    assert text.index("--output slicer.tar.gz") < text.index("sha512sum --check") < text.index("tar --extract")


@pytest.mark.parametrize("page", ["<tr><td>{}</td><td><code>{}</code></td></tr>", "{} | {} |\n"])
def test_the_checksum_of_slicer_is_found(tool, page):
    sums = {name: f"{n}" * 128 for n, name in enumerate(("Windows", "Linux", "macOS", "Linux (preview)"), 1)}
    text = "".join(page.format(name, value) for name, value in sums.items())
    assert tool.checksum(text, "release") == "2" * 128
    assert tool.checksum(text, "nightly") == "4" * 128
    with pytest.raises(ValueError, match="has 0 checksums"):
        tool.checksum(text.replace("2" * 128, "2" * 127), "release")
    with pytest.raises(ValueError, match="has 2 checksums"):
        tool.checksum(text + page.format("Linux", "5" * 128), "release")
