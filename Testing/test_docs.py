"""The documents name files, links, options, commands and messages that exist."""

from __future__ import annotations

import ast
import importlib.util
import re
from pathlib import Path

import pytest

from madreg.image import pair
from madreg.pipeline import axes_search, feature_search, initialization
from madreg.pose import search
from madreg.quality import (
    alternatives,
    block_matching,
    blocks,
    deformation,
    feature_agreement,
    feature_blocks,
    fine_features,
    verdict,
)
from madreg.settings import OPTIONS, Settings
from madreg_benchmark.command import parser as benchmark_parser
from madreg_benchmark.results import RESULTS
from syntax import syntax_of

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
MODULE = ROOT / "MADRegistration"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]


def text_of(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def script(path: str):
    """A script of the repository as a module."""
    spec = importlib.util.spec_from_file_location(Path(path).stem + "_for_docs", ROOT / path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def table_after(text: str, mark: str) -> list[list[str]]:
    """The cells of the Markdown table after a mark, without its head; ``|`` within cells is written ``\\|``."""
    lines = text.split(mark)[1].strip().split("\n\n")[0].splitlines()
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip("|"))] for line in lines[2:]]


def links_of(text: str) -> list[str]:
    """Targets of links and pictures, outside of code."""
    text = re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.DOTALL)
    return re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'<img[^>]*src="([^"]+)"', text)


def anchors_of(text: str) -> set[str]:
    """Anchors that GitHub makes of headings."""
    text = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


# --- links ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for link in links_of(text):
        if "://" in link:
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), link
        if anchor:
            assert anchor in anchors_of(target.read_text(encoding="utf-8")), link


def test_every_page_is_in_the_index() -> None:
    linked = {(DOCS / link.partition("#")[0]).resolve() for link in links_of(text_of("README.md"))}
    pages = {path.resolve() for path in [*DOCS.glob("*.md"), DOCS / "results" / "README.md"]}
    assert pages - linked == {(DOCS / "README.md").resolve()}


def test_the_readme_shows_a_picture() -> None:
    links = links_of((ROOT / "README.md").read_text(encoding="utf-8"))
    assert any(link.startswith("Resources/Screenshots/") for link in links)


# --- options and commands -------------------------------------------------------------------------------------------


def test_tables_of_options_are_those_of_the_parsers() -> None:
    tool, page = script("tools/write_options.py"), text_of("command-line.md")
    assert len(tool.MARK.findall(page)) == 6
    assert tool.filled_in(page) == page, "run tools/write_options.py"


def test_the_options_of_register_are_those_of_the_settings() -> None:
    shown = script("tools/write_options.py").table("register")
    for option in OPTIONS.values():
        assert f"| `{option.flag} " in shown and option.help in shown, option.name
        for choice in option.choices:
            assert choice.value in shown and choice.help in shown, choice.value


def test_options_in_the_text_exist() -> None:
    page = text_of("command-line.md")
    known = set(re.findall(r"^\| `(--[\w-]+)", page, re.MULTILINE))
    known |= {flag for option in OPTIONS.values() for flag in option.former_flags}
    outside = {"--testing", "--no-splash", "--no-main-window", "--additional-module-paths", "--python-code"}
    for text in (page, text_of("troubleshooting.md"), text_of("how-it-works.md")):
        assert set(re.findall(r"(?<![\w-])--[a-z][\w-]*", text)) <= known | outside


def test_fields_of_the_settings_are_named() -> None:
    paragraph = text_of("command-line.md").split("Fields of `Settings`")[1].split("\n\n")[0]
    assert set(Settings.__dataclass_fields__) <= set(re.findall(r"`(\w+)`", paragraph))


def test_exit_statuses_are_those_of_the_command() -> None:
    from madreg.commands.register import FAILED_STATUS

    assert f"{FAILED_STATUS}: the verdict is `failed`" in text_of("command-line.md")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_commands_of_run_py_exist(page: Path) -> None:
    commands = script("run.py").COMMANDS
    for name in re.findall(r"run\.py (\w+)", page.read_text(encoding="utf-8")):
        assert name in commands, name


def test_python_examples_use_what_madreg_offers() -> None:
    import madreg

    blocks = re.findall(r"```python\n(.*?)```", text_of("command-line.md"), re.DOTALL)
    assert len(blocks) == 4
    names = [
        alias.name
        for block in blocks
        for node in ast.walk(ast.parse(block))
        if isinstance(node, ast.ImportFrom) and node.module == "madreg"
        for alias in node.names
    ]
    assert set(names) >= {"register", "run_job", "assess_alignment"}
    assert set(names) <= set(madreg.__all__)


# --- the benchmark --------------------------------------------------------------------------------------------------


def test_commands_of_the_results_are_those_of_the_benchmark() -> None:
    rows = table_after(text_of("results/README.md"), "<!-- commands of results -->\n")
    shown = {folder.strip("`"): command.strip("`").replace(" CASES", "") for folder, command, _ in rows}
    trains = {folder: " --data TRAINING" if result.trains else "" for folder, result in RESULTS.items()}
    assert shown == {folder: result.command + trains[folder] for folder, result in RESULTS.items()}


@pytest.mark.parametrize("name", ["developers.md", "results/README.md"])
def test_examples_of_the_benchmark_are_understood(name: str) -> None:
    lines = re.findall(r"^python3 run\.py benchmark (.*)$", text_of(name), re.MULTILINE)
    assert lines
    for line in lines:
        assert benchmark_parser().parse_args(line.split()).command


# --- what the code says ---------------------------------------------------------------------------------------------


def messages() -> list[str]:
    """Strings of the code that is shipped."""
    nodes = [node for path in MODULE.rglob("*.py") for node in ast.walk(syntax_of(path))]
    return [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]


def test_messages_that_are_explained_are_in_the_code() -> None:
    """What lies between the dots of a quoted message is in the code as it is."""
    strings = messages()
    tables = re.findall(r"^\| message \|.*?\n\n", text_of("troubleshooting.md"), re.DOTALL | re.MULTILINE)
    assert len(tables) == 3
    for table in tables:
        rows = [line.split("|")[1] for line in table.splitlines()[2:] if line]
        assert len(rows) > 5
        for row in rows:
            for quoted in re.findall(r"`([^`]+)`", row):
                for fragment in filter(None, (part.strip(" :") for part in quoted.split("…"))):
                    assert any(fragment in string for string in strings), fragment


def test_thresholds_of_the_verdict_are_those_of_the_code() -> None:
    rows = {line.split("|")[1].strip(): line for line in text_of("how-it-works.md").splitlines() if "|" in line[1:]}
    assert f"at most {verdict.ALIGNED_MM:g} mm" in rows["aligned"]
    assert f"margin at least {verdict.CLEAR_MARGIN:g}" in rows["aligned"]
    assert f"at least {100 * verdict.LITTLE_OVERLAP:g} %" in rows["aligned"]
    assert f"above {verdict.FAILED_MM:g} mm" in rows["failed"]
    assert f"margin below {verdict.LEAST_MARGIN:g}" in rows["failed"]


def test_numbers_of_the_search_are_those_of_the_code() -> None:
    paragraph = " ".join(text_of("how-it-works.md").split("\n## Search\n")[1].split("\n## Candidates\n")[0].split())
    for text in (
        f"each of {search.ROTATIONS} rotations",
        f"lattice of {search.COARSE[0]:g} to {search.COARSE[1]:g} mm",
        f"best {search.SEEDS} poses",
        f"tensors of {search.FINE:g} mm, at {search.POINTS} points",
    ):
        assert text in paragraph
    assert (search.TRANSLATIONS, search.COUNT) == (3, 12)  # "three translations", "up to twelve candidates"
    assert "three translations" in paragraph and "Up to twelve candidates" in paragraph


def test_numbers_of_the_other_steps_are_those_of_the_code() -> None:
    page = " ".join(text_of("how-it-works.md").split())
    seen, factor = deformation.SEEN_ANYWAY_MM, deformation.FACTOR
    assert (factor[True], factor[False], fine_features.OF_MIDDLE) == (3.0, 2.0, 0.25)  # in words
    assert (feature_search.COUNT, feature_search.FEW) == (8, 2)  # in words, too
    liters = feature_blocks.MOST_VOXELS * blocks.SPACING**3 / 1e6
    for text in (
        f"at most {fine_features.MOST_LITERS[0]:g} liters, the other at most {fine_features.MOST_LITERS[1]:g}",
        f"{feature_search.QUICK_POINTS} points of the smaller image",
        f"a score of at least {feature_search.LEAST:g}, and of at least {feature_search.CLEARLY:g} times",
        f"{feature_search.POINTS:,} points are matched",
        f"{initialization.BEGUN * search.SEEDS:,} descents, of which the best {initialization.WIDER * search.SEEDS} go",
        f"share of {100 * axes_search.MIN_OVERLAP:g} % of the edges",
        f"agree there {fine_features.CLEARLY:g} times as well",
        f"by {fine_features.ABOVE_CHANCE:g} standard errors times the square root",
        f"Points within {feature_agreement.CELL_MM:g} mm count as one",
        f"more than {pair.LARGE // 10**6} million voxels",
        f"{pair.REACH:g} mm around it",
        f"up to {block_matching.REACH_MM:g} mm along each axis",
        f"at most {block_matching.MOST:,} blocks",
        f"up to {feature_blocks.REACH_MM:g} mm around",
        f"some {seen[True]:g} mm where there is none. So three times what exceeds {seen[True]:g} mm",
        f"twice what exceeds {seen[False]:g} mm",
        f"more than about {round(liters, -1):g} liters",
        f"more than {alternatives.ANOTHER_MM:g} mm away",
        f"lead more than {alternatives.FOLLOWED_MM:g} mm away",
        f"below {verdict.CLEAR_MARGIN:g} if less than {100 * verdict.LITTLE_OVERLAP:g} % of the fixed foreground",
        f"better than at the other pose by at least {verdict.LEAST_JOINT_MARGIN:g}",
        f"consensus at least {verdict.LEAST_CONSENSUS:g}",
    ):
        assert text in page, text


# --- layout ---------------------------------------------------------------------------------------------------------


def runtime_nodes(tree: ast.AST):
    """All nodes but those for type checkers only."""
    for node in ast.iter_child_nodes(tree):
        if not (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)):
            yield node
            yield from runtime_nodes(node)


def imports_between_packages(library: str) -> set[tuple[str, str]]:
    """Which package or module at the top of a library of the module's folder imports which other."""
    root, found = MODULE / library, set()
    for path in root.rglob("*.py"):
        place = (library, *path.relative_to(root).with_suffix("").parts)
        if len(place) == 2 and place[1].startswith("__"):
            continue
        for node in runtime_nodes(syntax_of(path)):
            targets = []
            if isinstance(node, ast.ImportFrom):
                base = list(place[: -node.level]) if node.level else []
                base += node.module.split(".") if node.module else []
                targets = [[*base, alias.name] for alias in node.names]
            elif isinstance(node, ast.Import):
                targets = [alias.name.split(".") for alias in node.names]
            names = [target[1] for target in targets if target[0] == library and len(target) > 1]
            found |= {(place[1], name) for name in names if (root / name).is_dir() or (root / f"{name}.py").exists()}
    return {(one, other) for one, other in found if one != other}


@pytest.mark.parametrize("library", ["madreg", "MADRegistrationLib"])
def test_packages_are_listed_in_the_order_of_their_imports(library: str) -> None:
    order = [row[0].strip("`") for row in table_after(text_of("developers.md"), f"<!-- packages of {library} -->\n")]
    root = MODULE / library
    there = {path.parent.name for path in root.glob("*/__init__.py")} | {path.stem for path in root.glob("[!_]*.py")}
    assert set(order) == there
    assert len(order) == len(there)
    for one, other in imports_between_packages(library):
        assert order.index(other) < order.index(one), f"{one} imports {other}"


def test_nothing_beside_slicer_is_imported_at_file_scope_in_the_module() -> None:
    """A question of the Extensions Index: docs/extension-index.md says none."""
    import sys

    allowed = {*sys.stdlib_module_names, "slicer", "vtk", "qt", "ctk", "SimpleITK", "numpy", "scipy"}
    allowed |= {"madreg", "MADRegistrationLib", "AbstractScriptedSubjectHierarchyPlugin"}
    allowed |= {"SubjectHierarchyPlugins"}  # as the one before, part of Slicer
    for path in [MODULE / "MADRegistration.py", *(MODULE / "MADRegistrationLib").rglob("*.py")]:
        for node in syntax_of(path).body:
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module]
            for name in names:
                assert name.split(".")[0] in allowed, f"{path.name} imports {name}"
