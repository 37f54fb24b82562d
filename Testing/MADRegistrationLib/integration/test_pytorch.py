import sys
from types import ModuleType

import pytest

from madreg.errors import InputError
from MADRegistrationLib.integration import pytorch


class FakeLogic:
    """The interface of the PyTorch extension's logic, keyword for keyword."""

    result, calls = object(), []

    def installTorch(
        self,
        askConfirmation=False,
        forceComputationBackend=None,
        torchVersionRequirement=None,
        torchvisionVersionRequirement=None,
    ):
        self.calls.append((askConfirmation, forceComputationBackend, torchVersionRequirement))
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


@pytest.fixture
def extension(monkeypatch):
    """No torch, but the PyTorch extension."""
    module = ModuleType("PyTorchUtils")
    module.PyTorchUtilsLogic = type("PyTorchUtilsLogic", (FakeLogic,), {"calls": []})
    monkeypatch.setitem(sys.modules, "PyTorchUtils", module)
    monkeypatch.setattr(pytorch, "isInstalled", lambda: False)
    return module.PyTorchUtilsLogic


def test_it_asks_before_it_installs(extension):
    pytorch.ensure()
    assert extension.calls == [(True, None, ">=2.2")]


def test_nothing_is_asked_where_there_is_torch(extension, monkeypatch):
    monkeypatch.setattr(pytorch, "isInstalled", lambda: True)
    pytorch.ensure()
    assert extension.calls == []


def test_declined(extension):
    extension.result = None
    with pytest.raises(InputError, match="was not installed"):
        pytorch.ensure()


def test_the_installation_fails(extension):
    extension.result = RuntimeError("no network")
    with pytest.raises(InputError, match="no network"):
        pytorch.ensure()


def test_without_the_extension_it_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(pytorch, "isInstalled", lambda: False)
    monkeypatch.setitem(sys.modules, "PyTorchUtils", None)
    with pytest.raises(InputError, match="Extensions Manager"):
        pytorch.ensure()
