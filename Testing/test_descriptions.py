"""The extension's descriptions agree with each other, with the catalog's rules and with the files on disk."""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from syntax import syntax_of

ROOT = Path(__file__).resolve().parents[1]
MODULE = ROOT / "MADRegistration"
HOMEPAGE = "https://github.com/MADRegistration/SlicerMADRegistration"
RAW = "https://raw.githubusercontent.com/MADRegistration/SlicerMADRegistration/main/"

# Schemas/slicer-extension-catalog-entry-schema-v1.0.1.json of Slicer: the type of each property; no other is allowed
SCHEMA = {
    "$schema": str,
    "category": str,
    "scm_url": str,
    "scm_revision": str,
    "scm_type": str,
    "build_dependencies": list,
    "build_subdirectory": str,
    "enabled": bool,
    "tier": int,
}
REQUIRED = {"$schema", "category", "scm_url"}
SCHEMA_URL = (
    "https://raw.githubusercontent.com/Slicer/Slicer/main/Schemas/slicer-extension-catalog-entry-schema-v1.0.1.json#"
)


def tracked(folder: Path) -> list[str]:
    """Files of a folder, relative to it: those git knows, or where there is no git all but caches."""
    if (ROOT / ".git").exists():
        listed = subprocess.run(["git", "ls-files", "-z", "."], cwd=folder, capture_output=True, text=True, check=True)
        return sorted(name for name in listed.stdout.split("\0") if name and (folder / name).is_file())
    files = (path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return sorted(path.relative_to(folder).as_posix() for path in files)


def bundled() -> list[str]:
    """Files of the module folder that are no code."""
    return [
        name
        for name in tracked(MODULE)
        if name.startswith(("Resources/", "madreg/resources/")) and not name.endswith(".py")
    ]


def cmake_list(text: str, name: str) -> list[str]:
    """Items of ``set(name ...)``; strings lose their quotes."""
    body = re.search(rf"set\({name}\s+(.*?)\s*\)\s*(?:#.*)?$", text, re.DOTALL | re.MULTILINE).group(1)
    return re.findall(r'"[^"]*"|[^\s"]+', body)


@pytest.fixture(scope="module")
def cmake() -> dict[str, str]:
    text = (ROOT / "CMakeLists.txt").read_text()
    return {name.lower(): value for name, value in re.findall(r'set\(EXTENSION_(\w+) "(.*)"\)', text)}


@pytest.fixture(scope="module")
def s4ext() -> dict[str, str]:
    lines = (ROOT / "MADRegistration.s4ext").read_text().splitlines()
    pairs = (line.partition(" ") for line in lines if line and not line.startswith("#"))
    return {key: value for key, _, value in pairs}


@pytest.fixture(scope="module")
def catalog() -> dict:
    return json.loads((ROOT / "MADRegistration.json").read_text())


def test_catalog_entry_keeps_the_schema(catalog: dict) -> None:
    assert REQUIRED <= set(catalog) <= set(SCHEMA)
    for key, value in catalog.items():
        assert type(value) is SCHEMA[key], key
    assert catalog["$schema"] == SCHEMA_URL
    assert catalog.get("scm_type", "git") in ("git", "local")
    assert catalog.get("tier", 5) in (1, 3, 5)
    assert all(isinstance(name, str) for name in catalog["build_dependencies"])


def test_the_three_descriptions_agree(cmake: dict, s4ext: dict, catalog: dict) -> None:
    for key in ("homepage", "category", "contributors", "description", "iconurl", "screenshoturls", "depends"):
        assert s4ext[key] == cmake[key], key
    assert catalog["category"] == cmake["category"]
    assert catalog["build_dependencies"] == cmake["depends"].split()
    assert catalog["scm_url"] == s4ext["scmurl"] == f"{HOMEPAGE}.git"
    assert catalog["scm_revision"] == s4ext["scmrevision"]
    assert catalog.get("scm_type", "git") == s4ext["scm"]
    assert catalog.get("build_subdirectory", ".") == s4ext["build_subdirectory"]
    assert catalog.get("enabled", True) == (s4ext["enabled"] == "1")
    assert cmake["homepage"] == HOMEPAGE


def test_the_pictures_that_the_catalog_shows_are_in_the_repository(cmake: dict) -> None:
    urls = [cmake["iconurl"], *cmake["screenshoturls"].split()]
    assert len(urls) >= 2
    for url in urls:
        assert url.startswith(RAW), url
        assert url.removeprefix(RAW) in tracked(ROOT), url


def test_every_script_is_in_the_package() -> None:
    text = (MODULE / "CMakeLists.txt").read_text()
    listed = cmake_list(text, "MODULE_PYTHON_SCRIPTS")
    assert len(listed) == len(set(listed))
    assert sorted(listed) == [name for name in tracked(MODULE) if name.endswith(".py")], "run tools/list_files.py"


def test_every_resource_is_in_the_package() -> None:
    text = (MODULE / "CMakeLists.txt").read_text()
    listed = cmake_list(text, "MODULE_PYTHON_RESOURCES")
    assert len(listed) == len(set(listed))
    assert sorted(listed) == bundled(), "run tools/list_files.py"


def test_the_module_folder_holds_nothing_that_is_not_packaged() -> None:
    others = [name for name in tracked(MODULE) if not name.endswith(".py") and name not in bundled()]
    assert others == ["CMakeLists.txt"]


def test_only_the_module_itself_is_taken_for_a_module() -> None:
    assert [name for name in tracked(MODULE) if name.endswith(".py") and "/" not in name] == ["MADRegistration.py"]


def test_every_python_package_is_in_the_wheel() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    listed = re.findall(r'"([^"]+)"', re.search(r"^packages = \[(.*?)\]", text, re.DOTALL | re.MULTILINE).group(1))
    scripts = [name for name in tracked(MODULE) if name.startswith("madreg/") and name.endswith(".py")]
    folders = {name.rpartition("/")[0].replace("/", ".") for name in scripts}
    assert set(listed) == folders, "a folder without __init__.py, or run tools/list_files.py"


def test_the_backend_declares_what_it_imports() -> None:
    """Also inside functions; nibabel, Dask and the benchmark's peers are optional and say so themselves."""
    text = (ROOT / "pyproject.toml").read_text()
    names = re.findall(r'"([\w-]+)[^"]*"', re.search(r"^dependencies = \[(.*?)\]", text, re.MULTILINE).group(1))
    allowed = {
        *names,
        *sys.stdlib_module_names,
        "madreg",
        "nibabel",
        "dask",
        "distributed",
        "ants",
        "itk",
        "picsl_greedy",
    }
    for name in tracked(MODULE):
        if name.startswith("madreg/") and name.endswith(".py"):
            for node in ast.walk(syntax_of(MODULE / name)):
                modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                if isinstance(node, ast.ImportFrom) and node.level == 0:
                    modules = [node.module]
                for module in modules:
                    assert module.split(".")[0] in allowed, f"{name} imports {module}"


def test_no_template_left_overs() -> None:
    for name in ("README.md", "CMakeLists.txt", "MADRegistration.s4ext", "MADRegistration.json", "pyproject.toml"):
        text = (ROOT / name).read_text(encoding="utf-8")
        for word in ("TemplateKey", "John Doe", "AnyWare", "example.com", "TODO", "FIXME", "XXX"):
            assert word not in text, f"{word} in {name}"


def test_the_repository_stays_small() -> None:
    sizes = {name: (ROOT / name).stat().st_size for name in tracked(ROOT)}
    assert sum(size for name, size in sizes.items() if "/Demo/" in name) <= 3e6
    assert sum(size for name, size in sizes.items() if "/Models/" in name) <= 8e6
    assert sum(sizes.values()) < 30e6


@pytest.mark.skipif(not (shutil.which("cmake") and shutil.which("c++")), reason="needs cmake and a compiler")
def test_cmake_configures_the_extension(tmp_path: Path) -> None:
    """With a stand-in for Slicer that checks, as Slicer's macro does, that all that is listed exists."""
    stand_in = tmp_path / "slicer"
    stand_in.mkdir()
    (stand_in / "SlicerConfig.cmake").write_text(
        f"""
set(Slicer_USE_FILE "{stand_in.as_posix()}/use.cmake")
set(Slicer_EXTENSION_GENERATE_CONFIG "{stand_in.as_posix()}/end.cmake")
set(Slicer_EXTENSION_CPACK "{stand_in.as_posix()}/end.cmake")
set(BUILD_TESTING ON)
"""
    )
    (stand_in / "end.cmake").write_text("")
    (stand_in / "use.cmake").write_text(
        """
macro(slicerMacroBuildScriptedModule)
  cmake_parse_arguments(MY "WITH_GENERIC_TESTS" "NAME" "SCRIPTS;RESOURCES" ${ARGN})
  foreach(file ${MY_SCRIPTS} ${MY_RESOURCES})
    if(NOT EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/${file})
      message(FATAL_ERROR "nonexistent file '${file}'")
    endif()
  endforeach()
  list(LENGTH MY_SCRIPTS scripts)
  message(STATUS "module ${MY_NAME} with ${scripts} scripts, generic tests ${MY_WITH_GENERIC_TESTS}")
endmacro()
macro(slicer_add_python_unittest)
  cmake_parse_arguments(MY "" "SCRIPT" "" ${ARGN})
  if(NOT EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/${MY_SCRIPT})
    message(FATAL_ERROR "nonexistent test '${MY_SCRIPT}'")
  endif()
  message(STATUS "self-test ${CMAKE_CURRENT_SOURCE_DIR}/${MY_SCRIPT}")
endmacro()
"""
    )
    command = ["cmake", "-S", str(ROOT), "-B", str(tmp_path / "build"), f"-DSlicer_DIR={stand_in}"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    scripts = cmake_list((MODULE / "CMakeLists.txt").read_text(), "MODULE_PYTHON_SCRIPTS")
    assert f"module MADRegistration with {len(scripts)} scripts, generic tests TRUE" in done.stdout
    assert f"self-test {MODULE / 'MADRegistration.py'}" in done.stdout
