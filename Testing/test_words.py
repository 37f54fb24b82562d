"""Words that are not those of the field stay out of code, messages and documents."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
WORDS = {
    "comes home": ("converges", r"(?:comes?|came|coming)[ _]+home"),
    "wedges": ("resampling padding", r"wedges?"),
    "half turn": ("180-degree flip", r"half[ _-]turns?|half a turn|turned half round"),
    "valley": ("basin", r"valleys?"),
    "made-up": ("synthetic", r"made[-_]up"),
    "dent": ("local minimum", r"dents?"),
    "rival": ("flipped pose", r"rivals?"),
    "beaten": ("flip is better", r"beaten"),
    "judge": ("assess", r"judge[ds]?|judging|judge?ments?"),
    "put_right": ("re_refine", r"put_right"),
    "highest_around": ("dilate", r"highest_around"),
    "courtesy": ("process priority", r"courtesy"),
    "lead": ("flip ratio", r"(?<=\.)lead|(?<=\")lead(?=\")|lead(?=: float|=)"),
    "tell": ("report_progress", r"tell(?=\()"),
}
"""What is found: what is used instead, and the regular expression that finds it between letters of other words."""

LISTS = {"Testing/test_words.py"}  # which name the words
NOT_YET_CLEAN: set[str] = set()
"""Files that still hold such words; the list only becomes shorter."""


def texts() -> dict[str, str]:
    """Code and documents that git knows, by path."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    names = [name for name in listed.split("\0") if name.endswith((".py", ".md", ".ui", ".json", ".toml", ".yml"))]
    return {
        name: (ROOT / name).read_text(encoding="utf-8")
        for name in names
        if (ROOT / name).is_file() and name not in LISTS
    }


def found(text: str) -> dict[str, list[str]]:
    """Unwanted words in a text, with the lines in which they are."""
    lines = {}
    for word, (_, pattern) in WORDS.items():
        whole = re.compile(rf"(?<![a-z])(?:{pattern})(?![a-z])", re.IGNORECASE)
        hits = [line.strip() for line in text.splitlines() if whole.search(line)]
        if hits:
            lines[word] = hits
    return lines


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="needs git's list of files")
def test_unwanted_words_stay_out() -> None:
    wrong = {name: found(text) for name, text in texts().items()}
    unclean = {name for name, words in wrong.items() if words}
    for name in sorted(unclean - NOT_YET_CLEAN):
        for word, lines in wrong[name].items():
            pytest.fail(f'{name}: "{word}" is called "{WORDS[word][0]}" here; see: {lines[0]}')
    assert unclean >= NOT_YET_CLEAN, f"clean now, take out of the list: {sorted(NOT_YET_CLEAN - unclean)}"


@pytest.mark.parametrize("word", WORDS)
def test_what_is_used_instead_is_not_found_itself(word: str) -> None:
    assert not found(WORDS[word][0])


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("def test_it_comes_home():", "comes home"),
        ("It came home.", "comes home"),
        ("from madreg.io.padding import faces, wedges", "wedges"),
        ("a half turn, half-turn, half_turn", "half turn"),
        ("a made-up head", "made-up"),
        ("registration.judge(fixed", "judge"),
        ("result.judged.lead", "lead"),
        ("def work(n, tell): tell(0.5)", "tell"),
    ],
)
def test_words_are_found(text: str, word: str) -> None:
    assert word in found(text)


@pytest.mark.parametrize("text", ["the home directory", "the two turn by half", "made up of two parts", "a cartoon"])
def test_ordinary_english_is_left_alone(text: str) -> None:
    assert not found(text)
