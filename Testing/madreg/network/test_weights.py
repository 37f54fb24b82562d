"""Weights: saved and loaded as they were; what is missing, damaged or foreign is refused in one sentence."""

import json
import os
import zipfile

import pytest
import torch

from madreg.errors import InputError
from madreg.network import weights
from madreg.network.model_card import sha256
from madreg.network.models import build
from madreg.network.settings import FusedSettings
from madreg.network.stored_network import FORMAT


@pytest.fixture
def saved(tmp_path):
    torch.manual_seed(0)
    network = build(FusedSettings(widths=(4, 4, 4), blocks=(1, 1))).eval()
    card = weights.save(network, tmp_path / "mad.pt", {"seed": 7})
    return network, tmp_path / "mad.pt", card


def test_a_network_comes_back_as_it_was(saved):
    network, path, card = saved
    loaded, same_card = weights.load(path)
    assert same_card == card and card["seed"] == 7 and card["sha256"] == sha256(path)
    assert card["parameters"] == sum(p.numel() for p in network.parameters())
    assert not loaded.training and not any(p.requires_grad for p in loaded.parameters())
    pair = torch.rand(1, 2, 12, 12, 12)
    with torch.no_grad():
        assert torch.allclose(loaded(pair), network(pair), atol=0.1)  # mm; half precision


def test_nothing_half_written_is_left(saved):
    assert sorted(p.name for p in saved[1].parent.iterdir()) == ["mad.json", "mad.pt"]


def test_one_changed_byte_is_noticed(saved):
    path = saved[1]
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)
    with pytest.raises(InputError, match="not those of their model card"):
        weights.load(path)


def test_weights_without_a_card_are_refused(saved):
    saved[1].with_suffix(".json").unlink()
    with pytest.raises(InputError, match=r"mad\.json is missing or damaged"):
        weights.load(saved[1])


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"nowhere\.pt"):
        weights.load(tmp_path / "nowhere.pt")


class _Evil:
    def __reduce__(self):
        return os.system, ("touch /tmp/madreg_was_here",)


@pytest.mark.parametrize(
    "content",
    [{"a": torch.zeros(2)}, [1, 2], {"format": FORMAT}, _Evil(), b"noise"],
    ids=["foreign", "list", "empty", "code", "noise"],
)
def test_foreign_files_are_refused_and_run_nothing(tmp_path, content):
    path = tmp_path / "other.pt"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(content, path)
    path.with_suffix(".json").write_text(json.dumps({"sha256": sha256(path)}))
    with pytest.raises(InputError, match="no weights of MADRegistration"):
        weights.load(path)
    assert not os.path.exists("/tmp/madreg_was_here")


def refused(stored, path):
    """What is said of a file of weights whose card has its hash."""
    torch.save(stored, path)
    _with_card(path)
    with pytest.raises(InputError, match="holds no weights of MADRegistration") as caught:
        weights.load(path)
    return str(caught.value)


def _with_card(path):
    path.with_suffix(".json").write_text(json.dumps({"sha256": sha256(path)}))


@pytest.mark.parametrize("spacing", [0.0, -1.0, 1e-6, 1023.0, float("nan"), "4"])
def test_voxels_that_no_network_sees_are_refused(saved, spacing):
    stored = torch.load(saved[1], weights_only=True)
    stored["network"]["spacing"] = spacing
    refused(stored, saved[1])


def test_weights_that_are_no_numbers_are_refused(saved):
    stored = torch.load(saved[1], weights_only=True)
    next(value for value in stored["state"].values() if value.is_floating_point()).fill_(float("nan"))
    refused(stored, saved[1])


def test_weights_that_would_be_inflated_are_refused_before(saved):
    """A file of some kilobytes can declare gigabytes."""
    path = saved[1]
    with zipfile.ZipFile(path) as archive:
        parts = {part.filename: archive.read(part) for part in archive.infolist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, bytes(len(content)) if "/data/" in name else content)
    _with_card(path)
    with pytest.raises(InputError, match="holds no weights of MADRegistration"):
        weights.load(path)


def test_foreign_files_print_no_warnings(tmp_path, recwarn):
    path = tmp_path / "script.pt"
    torch.jit.save(torch.jit.trace(torch.nn.Linear(2, 2), torch.zeros(1, 2)), str(path))
    recwarn.clear()  # of having made it
    _with_card(path)
    with pytest.raises(InputError, match="holds no weights of MADRegistration"):
        weights.load(path)
    assert not recwarn.list


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_a_pipe_in_place_of_the_card_is_not_waited_for(saved):
    card = saved[1].with_suffix(".json")
    card.unlink()
    os.mkfifo(card)
    with pytest.raises(InputError, match=r"mad\.json is missing or damaged"):
        weights.load(saved[1])
