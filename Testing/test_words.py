"""Words that are not those of the field stay out of code, messages and documents."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CAPTION = r"(?-i:(?<=[\">]){}(?=[:<\"]))"
"""A whole label of the panel, in quotes or between tags."""

WORDS = {
    # registration
    "comes home": ("converges", r"(?:comes?|came|coming)[ _]+home|points? home"),
    "wedges": ("resampling padding", r"wedges?"),
    "half turn": ("180-degree flip", r"half[ _-]turns?|half a turn|turned half round|180-degree turns?"),
    "valley": ("basin", r"valleys?"),
    "made-up": ("synthetic", r"made[-_]up"),
    "dent": ("local minimum", r"dents?"),
    "rival": ("flipped pose", r"rivals?"),
    "beaten": ("other is better", r"beaten"),
    "lead": ("margin", r"(?<=\.)lead|(?<=\")lead(?=\")|lead(?=: float|=)"),
    "flip ratio": ("margin", r"flip[ _](?:ratio|margin)s?|others[ _]ratio"),
    "win": ("is best", r"wins?(?!\d)|won|winners?|winning"),
    "judge": ("assess", r"judge[ds]?|judging|judge?ments?"),
    "turned": ("rotated", r"turned(?! (?:on|off|out|into))"),
    "content": (
        "foreground",
        r"(?:fixed|moving|image's|scan's|volume's|head's) content|as content"
        r"|content_(?:box|spacing|points|mask)|(?<=\.)content(?=\.(?:sum|any|float)| else)",
    ),
    "spread": ("radius of gyration", r"(?<=\.)spread|spread(?=\(|: float| = )"),
    "covered": ("overlap fraction", r"(?<=[._])covered|covered(?=\(| = )"),
    "favourite": ("preferred", r"favou?rites?"),
    "astray": ("away", r"astray"),
    "say": ("weight", r"(?:no|a|their|its) say(?! that)"),
    "knows no": ("does not depend on", r"knows? (?:no|nothing)"),
    # functions
    "put_right": ("re_refine", r"put_right"),
    "polish": ("bfgs", r"polish(?:es|ed|ing)?"),
    "minimise": ("adam", r"minimis\w*"),
    "each": ("parallel_map", r"each(?=\()|each(?=: Callable)"),
    "tell": ("report_progress", r"tell(?:s|ing)?|told"),
    "highest_around": ("dilate", r"highest_around"),
    "courtesy": ("process priority", r"courtesy"),
    "silence": ("stderr", r"silenc(?:ed|ing)|silence(?=\()"),
    # command line and panel
    "given": ("none", r"(?<=init=\")given|(?<=\"init\": \")given"),
    "mass": ("center_of_mass", r"(?<=init=\")mass|(?<=\"init\": \")mass|(?<=--init )mass"),
    "--start": ("--initial-transform", r"(?<!\w)--start(?![\w-])"),
    "Turned": ("Rotation", CAPTION.format("Turned")),
    "Moved": ("Translation", CAPTION.format("Moved")),
    "Largest error of a region": ("Largest local error", "largest errors? of a region"),
    "Jump to worst": ("Go to largest error", r"jump(?:s|ed|ing)? to (?:the )?worst"),
    "Measure": ("Similarity measure", CAPTION.format("Measure")),
    "Start from": ("Initialization", CAPTION.format("Start from")),
}
"""What is found: what is used instead, and the regular expression that finds it between letters of other words."""


def between_letters(pattern: str) -> re.Pattern[str]:
    """What finds a pattern in any case, if no letter is before or behind it."""
    return re.compile(rf"(?<![a-z])(?:{pattern})(?![a-z])", re.IGNORECASE)


PATTERNS = {word: between_letters(pattern) for word, (_, pattern) in WORDS.items()}
ANY = between_letters("|".join(f"(?:{pattern})" for _, pattern in WORDS.values()))
"""Finds something where any of the patterns does: most texts are read once."""

FORMER = {"given", "mass", "--start"}
"""Words of the command line that still work: their definition, its test and its documentation name them."""
FORMER_IN = {"MADRegistration/madreg/settings.py", "Testing/madreg/test_settings.py", "docs/command-line.md"}
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
    if not ANY.search(text):
        return {}
    lines = {}
    for word, pattern in PATTERNS.items():
        if pattern.search(text):
            lines[word] = [line.strip() for line in text.splitlines() if pattern.search(line)]
    return lines


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="needs git's list of files")
def test_unwanted_words_stay_out() -> None:
    wrong = {name: found(text) for name, text in texts().items()}
    for name in FORMER_IN & set(wrong):
        wrong[name] = {word: lines for word, lines in wrong[name].items() if word not in FORMER}
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
        ("quality.flip_margin", "flip ratio"),
        ("the flip ratio is at least 1.5", "flip ratio"),
        ("the better flip wins", "win"),
        ("the moving volume turned by 60 degrees", "turned"),
        ("turned = [turn @ pose]", "turned"),
        ("of the fixed content", "content"),
        ("low, high = content_box(fixed)", "content"),
        ("volume.content.sum()", "content"),
        ("fixed.spread", "spread"),
        ("def spread(volume)", "spread"),
        ("self.covered", "covered"),
        ("LEAST_COVERED = 0.5", "covered"),
        ("its own favourite displacement", "favourite"),
        ("each(work, items)", "each"),
        ("def run(each: Callable)", "each"),
        ("loss to be minimised", "minimise"),
        ("from .descent import polish", "polish"),
        ("with silenced():", "silence"),
        ('Settings(init="given")', "given"),
        ("madreg register --init mass", "mass"),
        ('["--start", "a.tfm"]', "--start"),
        ("<string>Turned:</string>", "Turned"),
        ('QLabel("Moved")', "Moved"),
        ("<string>Jump to worst</string>", "Jump to worst"),
        ('text="Start from"', "Start from"),
    ],
)
def test_words_are_found(text: str, word: str) -> None:
    assert word in found(text)


@pytest.mark.parametrize(
    "text",
    [
        "the home directory",
        "the two turn by half",
        "made up of two parts",
        "a cartoon",
        "a misleading header",
        "mm of margin around the head",
        'sys.platform == "win32"',
        "the windows",
        "smoothing is turned off",
        "it is returned",
        "the content of the file",
        "path.write_bytes(content)",
        "poses spread evenly over all",
        "lines that tests covered",
        "for each pose",
        "(3, 3), a column each",
        "intelligent",
        "to say that it failed",
        '"measure": "nmi"',
        "starts: --start-up",
        "moved by 3 mm",
    ],
)
def test_ordinary_english_is_left_alone(text: str) -> None:
    assert not found(text)
