"""Where a job stands, in words."""

import ast
from pathlib import Path

import madreg.settings
from MADRegistrationLib.run.progresstext import STAGES


def test_every_stage_of_the_pipeline_has_words():
    """Every name of a stage is a string in the backend's pipeline or descent."""
    backend = Path(madreg.__file__).parent
    files = [path for folder in ("pipeline", "descent") for path in (backend / folder).glob("*.py")]
    nodes = [node for path in files for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))]
    strings = {node.value for node in nodes if isinstance(node, ast.Constant)}
    assert set(STAGES) - {"preparing", "starting", "finishing", "files"} <= strings
