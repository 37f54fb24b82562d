"""What MADRegistration.py does by itself, with doubles of what Slicer has beside slicer-core."""

import importlib.util
import sys
from enum import Enum
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import get_type_hints

import pytest
from doubles import SLOW, makeParameters

from MADRegistrationLib.inputs import Inputs
from MADRegistrationLib.selection.storedchoices import KINDS

slicer = pytest.importorskip("slicer", reason="needs the PyPI package slicer-core")

FILE = Path(__file__).resolve().parents[2] / "MADRegistration" / "MADRegistration.py"


class Double(ModuleType):
    """A module of which everything can be imported."""

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})


@pytest.fixture
def later():
    """What is to be done as soon as Qt's events are handled again."""
    return []


@pytest.fixture
def module(monkeypatch, later):
    i18n = Double("slicer.i18n")
    i18n.tr, i18n.translate = (lambda text: text), (lambda context, text: text)
    wrapper = Double("slicer.parameterNodeWrapper")
    wrapper.parameterNodeWrapper, wrapper.WithinRange = (lambda kind: kind), (lambda *limits: limits)
    qt = Double("qt")
    qt.QTimer = SimpleNamespace(singleShot=lambda milliseconds, slot: later.append(slot))
    for double in (i18n, wrapper, qt, Double("slicer.ScriptedLoadableModule")):
        monkeypatch.setitem(sys.modules, double.__name__, double)
    specification = importlib.util.spec_from_file_location("MADRegistrationModule", FILE)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.mark.parametrize(("isEntered", "isRemoved", "isReplaced"), [(1, 1, 1), (0, 1, 0), (1, 0, 0)])
def test_a_removed_set_of_parameters_is_replaced(scene, module, later, isEntered, isRemoved, isReplaced):
    """Volumes chosen with a set that is in no scene would be forgotten; what is not open is set up when it opens."""
    node, replaced = scene.AddNewNodeByClass("vtkMRMLScriptedModuleNode"), []
    widget = module.MADRegistrationWidget.__new__(module.MADRegistrationWidget)
    widget.parent, widget._parameterNode = SimpleNamespace(isEntered=isEntered), SimpleNamespace(parameterNode=node)
    widget.initializeParameterNode = lambda: replaced.append(node.GetScene())
    if isRemoved:
        scene.RemoveNode(node)
    widget._onParameterSet(None)
    assert not replaced  # the scene may be busy with the removal
    later.pop()()
    assert replaced == [None] * isReplaced


def test_every_choice_that_may_be_unreadable_is_checked(module):
    hints = get_type_hints(module.MADRegistrationParameterNode)
    assert {name: kind for name, kind in hints.items() if kind in (int, float) or issubclass_of(kind, Enum)} == KINDS


def issubclass_of(kind, parent):
    return isinstance(kind, type) and issubclass(kind, parent)


def test_a_set_of_parameters_with_an_unknown_choice_opens(scene, module, monkeypatch):
    """Slicer's wrapper raises ValueError for it."""
    node = scene.AddNewNodeByClass("vtkMRMLScriptedModuleNode")
    node.SetParameter("measure", "OF_ANOTHER_VERSION")
    read = []
    monkeypatch.setattr(module, "MADRegistrationParameterNode", lambda node: read.append(node.HasParameter("measure")))
    widget = module.MADRegistrationWidget.__new__(module.MADRegistrationWidget)
    widget._parameterNode = None
    widget.ui = SimpleNamespace(parameterSetSelector=SimpleNamespace(currentNode=lambda: node))
    widget.setParameterNode = lambda parameters: None
    monkeypatch.setattr(module, "chooseFirstVolumes", lambda parameters: None)
    widget.initializeParameterNode()
    assert read == [False]


def test_what_a_script_cannot_register_is_a_runtime_error_too(module, volumes, client):
    logic = module.MADRegistrationLogic.__new__(module.MADRegistrationLogic)
    logic.client = client
    with pytest.raises(RuntimeError, match="The fixed and the moving volume are the same"):
        logic.register(Inputs(volumes[0], volumes[0]))


def test_nothing_is_replaced_when_the_scene_closes(scene, module, later):
    widget = module.MADRegistrationWidget.__new__(module.MADRegistrationWidget)
    widget.parent, widget._parameterNode = SimpleNamespace(isEntered=True), None
    widget._onParameterSet(None)
    later.pop()()  # initializeParameterNode would fail


def test_the_context_menu_chooses_nothing_while_a_registration_runs(module, volumes, panel, view):
    """The panel would show another pair than the one that is registered."""
    widget = module.MADRegistrationWidget.__new__(module.MADRegistrationWidget)
    parameters = widget._parameterNode = makeParameters(fixedVolume=volumes[0], movingVolume=volumes[1], seed=SLOW)
    widget._panel = panel
    panel.setParameters(parameters)
    widget.chooseMoving(volumes[0])
    assert (parameters.fixedVolume, parameters.movingVolume) == (None, volumes[0])
    parameters.fixedVolume, parameters.movingVolume = volumes[:2]
    panel.registerAction.onButton()
    widget.chooseMoving(volumes[2])
    assert (parameters.fixedVolume, parameters.movingVolume) == (volumes[0], volumes[1]) and panel.isRunning
    assert view.shown["Message"] == ('"PET" was not chosen: wait for the end, or press Cancel.', False)
