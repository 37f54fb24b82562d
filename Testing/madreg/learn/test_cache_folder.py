"""The folder for compiled code, which torch makes with the first optimizer of a process."""

import os
import subprocess
import sys

import pytest

from madreg.learn.cache_folder import VARIABLE, without_cache_folder


@pytest.mark.parametrize(
    ("is_named", "is_empty", "is_left"), [(False, True, False), (False, False, True), (True, True, True)]
)
def test_an_empty_folder_that_torch_has_made_is_removed(tmp_path, monkeypatch, is_named, is_empty, is_left):
    folder = tmp_path / "torchinductor_user"
    if is_named:
        monkeypatch.setenv(VARIABLE, str(folder))
    else:
        monkeypatch.delenv(VARIABLE, raising=False)
    with without_cache_folder():
        monkeypatch.setenv(VARIABLE, str(folder))
        folder.mkdir()
        if not is_empty:
            (folder / "compiled").touch()
    assert folder.exists() == is_left


@pytest.mark.slow
def test_the_first_optimizer_of_a_process_leaves_nothing(tmp_path):
    script = (
        "import sys, torch; from pathlib import Path; from madreg.learn.state import TrainingState; "
        "TrainingState(Path(sys.argv[1]), torch.nn.Linear(1, 1), 1e-3); assert 'torch._dynamo' in sys.modules"
    )
    environment = {name: value for name, value in os.environ.items() if name != VARIABLE}
    environment |= {"TMPDIR": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", script, str(tmp_path / "checkpoint.pt")], env=environment, check=True)
    assert list(tmp_path.iterdir()) == []
