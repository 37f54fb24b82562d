"""A training goes on from its checkpoint, and from no other file."""

import pytest
import torch

from madreg.errors import InputError
from madreg.learn.state import TrainingState


def make(path, width=3):
    torch.manual_seed(0)
    return TrainingState(path, torch.nn.Linear(2, width), 1e-3)


@pytest.fixture
def checkpoint(tmp_path):
    state = make(tmp_path / "checkpoint.pt")
    state.update(state.model(torch.ones(1, 2)).sum(), 1e-3, 0.9)
    state.save()
    return state


def test_a_checkpoint_is_taken_over(checkpoint):
    found = make(checkpoint.path)
    assert found.step == 1
    assert all(map(torch.equal, found.model.state_dict().values(), checkpoint.model.state_dict().values()))


@pytest.mark.parametrize("what", ["cut off", "text", "empty", "folder", "other values", "other network"])
def test_another_file_is_refused_in_a_sentence(checkpoint, what):
    path = checkpoint.path
    content = path.read_bytes()
    if what == "folder":
        path.unlink()
        path.mkdir()
    elif what == "other values":
        torch.save({"step": 1}, path)
    elif what != "other network":
        path.write_bytes({"cut off": content[: len(content) // 2], "text": b"junk\n", "empty": b""}[what])
    with pytest.raises(InputError, match=r"checkpoint.pt cannot be continued, as it is damaged or of another"):
        make(path, width=4 if what == "other network" else 3)
