"""Where to compute, and what is said when it is not there."""

from __future__ import annotations

import pytest
import torch

from madreg.errors import InputError
from madreg.system import device


@pytest.fixture
def no_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


def test_without_a_gpu_auto_is_the_cpu(no_gpu):
    assert device.choose("auto").type == device.choose("cpu").type == "cpu"
    assert device.describe(device.choose("auto")).startswith("CPU, ")


def test_the_threads_of_a_cpu_are_counted(monkeypatch):
    for count, text in ((1, "CPU, 1 thread"), (8, "CPU, 8 threads")):
        monkeypatch.setattr(torch, "get_num_threads", lambda count=count: count)
        assert device.describe(torch.device("cpu")) == text


def test_auto_takes_the_gpu_that_is_there(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert device.choose("auto").type == "cuda" and str(device.choose("cuda:1")) == "cuda:1"
    with pytest.raises(InputError, match='no usable "cuda:2"'):
        device.choose("cuda:2")


@pytest.mark.parametrize("name", ["cuda", "mps", "cuda:0"])
def test_a_device_that_is_not_there_is_one_sentence(no_gpu, name):
    with pytest.raises(InputError, match=f'no usable "{name}" device: choose "auto" or "cpu"'):
        device.choose(name)


@pytest.mark.parametrize("name", ["tpu", "", "cuda:x", "gpu"])
def test_an_unknown_device_is_one_sentence(name):
    with pytest.raises(InputError, match=f'There is no device "{name}": choose one of auto, cpu, cuda, mps'):
        device.choose(name)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_is_described_by_name_and_memory():
    assert " GB" in device.describe(device.choose("cuda"))


@pytest.mark.parametrize(("number", "words"), [(1, "CPU, 1 thread"), (2, "CPU, 2 threads")])
def test_threads_are_counted_in_words(monkeypatch, number, words):
    monkeypatch.setattr(torch, "get_num_threads", lambda: number)
    assert device.describe(torch.device("cpu")) == words
