"""Choices of a scene that another version of the module has saved."""

import pytest

from MADRegistrationLib.selection.parameters import Measure
from MADRegistrationLib.selection.storedchoices import KINDS, forgetUnknown


@pytest.fixture
def node(scene):
    node = scene.AddNewNodeByClass("vtkMRMLScriptedModuleNode")
    for name in KINDS:
        node.SetParameter(name, "5" if KINDS[name] in (int, float) else next(iter(KINDS[name])).name)
    return node


@pytest.mark.parametrize(
    ("name", "text"),
    [("measure", "MAD2"), ("transformType", ""), ("initialization", "mass"), ("seed", "5.0"), ("seed", "many")]
    + [("fillValue", "nan"), ("fillValue", "")],
)
def test_what_cannot_be_read_is_taken_out(node, name, text):
    node.SetParameter(name, text)
    forgetUnknown(node)
    assert [one for one in KINDS if not node.HasParameter(one)] == [name]


def test_what_can_be_read_stays(node):
    node.SetParameter("measure", Measure.MAD_DISTANCE.name)
    node.SetParameter("ofAnotherVersion", "anything")
    forgetUnknown(node)
    assert all(node.HasParameter(one) for one in KINDS)
    assert (node.GetParameter("measure"), node.GetParameter("ofAnotherVersion")) == ("MAD_DISTANCE", "anything")
