"""The panel's file against the code that uses it, without Qt: names, parameters, tooltips, connections."""

import ast
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree

import pytest

MODULE = Path(__file__).resolve().parents[3] / "MADRegistration"
TREE = ast.parse((MODULE / "MADRegistration.py").read_text(encoding="utf-8"))
LIB = MODULE / "MADRegistrationLib"
WIDGETS_LIB = LIB / "widgets"
UI = ElementTree.parse(MODULE / "Resources" / "UI" / "MADRegistration.ui").getroot()
WIDGETS = {widget.get("name"): widget for widget in UI.iter("widget")}

CONTROLS = (
    "qMRMLNodeComboBox",
    "qMRMLCheckableNodeComboBox",
    "QComboBox",
    "QSpinBox",
    "QCheckBox",
    "QPushButton",
    "QDoubleSpinBox",
    "QTableWidget",
    "ctkSliderWidget",
    "ctkPathLineEdit",
)
"""Classes of what the user can touch."""


def property_of(widget, name):
    found = widget.find(f"property[@name='{name}']")
    return None if found is None else "".join(found.itertext()).strip()


def parse(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def attributesOf(tree, *names):
    """What is taken from objects of these names: ``b`` of ``a.b`` and of ``self.a.b`` for the name ``a``."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            owner = node.value
            if (isinstance(owner, ast.Name) and owner.id in names) or (
                isinstance(owner, ast.Attribute) and owner.attr in names
            ):
                found.add(node.attr)
    return found


def widgetsUsed():
    """Names of the widgets that the module's code uses."""
    trees = [TREE, *(parse(path) for path in WIDGETS_LIB.glob("*.py"))]
    return set().union(*(attributesOf(tree, "ui", "_ui") for tree in trees)) - {"ui"}


def parameters():
    """Fields of the parameter node, with what they are annotated as."""
    node = next(n for n in TREE.body if isinstance(n, ast.ClassDef) and n.name == "MADRegistrationParameterNode")
    return {n.target.id: ast.unparse(n.annotation) for n in node.body if isinstance(n, ast.AnnAssign)}


def test_names_are_unique_and_all_that_the_code_uses_exist():
    names = [widget.get("name") for widget in UI.iter("widget")]
    assert len(names) == len(set(names))
    assert widgetsUsed() and widgetsUsed() <= set(names)


def test_every_control_has_a_tooltip_in_plain_words():
    controls = [widget for widget in WIDGETS.values() if widget.get("class") in CONTROLS]
    assert len(controls) > 15
    for widget in controls:
        assert len(property_of(widget, "toolTip") or "") > 15, widget.get("name")


def test_every_control_does_something():
    """It is bound to a parameter or used by the code."""
    for name, widget in WIDGETS.items():
        if widget.get("class") in CONTROLS:
            assert property_of(widget, "SlicerParameterName") or name in widgetsUsed(), name


def test_bound_controls_fit_their_parameter():
    kinds = {
        "QCheckBox": "bool",
        "QSpinBox": "int",
        "QDoubleSpinBox": "float",
        "QComboBox": "(TransformType|Initialization|Measure|Interpolation|VoxelType)",
        "qMRMLNodeComboBox": "vtkMRML",
    }
    known, bound = parameters(), []
    for widget in WIDGETS.values():
        name = property_of(widget, "SlicerParameterName")
        if name:
            bound.append(name)
            assert re.search(kinds[widget.get("class")], known[name]), name
            if widget.get("class") == "qMRMLNodeComboBox":
                for node in re.findall(r"slicer\.(vtkMRML\w+)", known[name]):
                    assert node in property_of(widget, "nodeTypes")
    assert len(bound) == len(set(bound)) and set(known) - set(bound) == {"device"}  # set by hand: what there is differs


def test_every_node_selector_gets_the_scene():
    wanted = {name for name, widget in WIDGETS.items() if "NodeComboBox" in widget.get("class")}
    found = set()
    for connection in UI.iter("connection"):
        texts = [connection.findtext(part) for part in ("sender", "signal", "receiver", "slot")]
        assert texts[0] == UI.findtext("class")
        assert texts[1] == "mrmlSceneChanged(vtkMRMLScene*)" and texts[3] == "setMRMLScene(vtkMRMLScene*)"
        found.add(texts[2])
    assert found == wanted


def test_the_sets_of_parameters_are_offered():
    """Their nodes are hidden from editors: only a selector that shows hidden nodes has them."""
    slicer = pytest.importorskip("slicer", reason="needs the PyPI package slicer-core")
    selector = WIDGETS["parameterSetSelector"]
    assert slicer.vtkMRMLScriptedModuleNode().GetHideFromEditors()
    assert property_of(selector, "showHidden") == "true" and "vtkMRMLScriptedModuleNode" in property_of(
        selector, "nodeTypes"
    )


def test_custom_classes_are_declared():
    declared = {widget.findtext("class") for widget in UI.iter("customwidget")}
    used = {widget.get("class") for widget in WIDGETS.values() if widget.get("class").startswith(("qMRML", "ctk"))}
    assert used == declared


def test_what_slicer_imports_when_it_starts_is_light():
    """At file scope: the standard library, Slicer, and the words of the panel, which import nothing else."""
    roots = set()
    for node in TREE.body:
        if isinstance(node, ast.Import):
            roots |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            roots.add(node.module if node.module.startswith("MADRegistrationLib") else node.module.split(".")[0])
    assert roots <= {
        "json",
        "time",
        "typing",
        "unittest",
        "pathlib",
        "qt",
        "slicer",
        "vtk",
        "MADRegistrationLib.integration.contextmenu",
        "MADRegistrationLib.integration.sampledata",
        "MADRegistrationLib.selection.firstvolumes",
        "MADRegistrationLib.selection.parameters",
    }
    code = (
        "import sys, MADRegistrationLib.integration.sampledata; "
        "sys.exit('numpy' in sys.modules and 'slicer' not in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=MODULE).returncode == 0


def test_opening_the_module_imports_no_torch():
    pytest.importorskip("slicer", reason="needs the PyPI package slicer-core")
    code = (
        "import sys, MADRegistrationLib.panel.panel, MADRegistrationLib.integration.pytorch, "
        "MADRegistrationLib.results.registrationerror; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=MODULE).returncode == 0


def methods(tree, name):
    """Names and parameters of the methods of a class."""
    node = next(n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == name)
    return {n.name: [a.arg for a in n.args.args] for n in node.body if isinstance(n, ast.FunctionDef)}


VIEWS = {
    "messages": ["messages.MessageView"],
    "selection": ["selection/selection.SelectionView", "selection/devices.DevicesView"],
    "run": ["run/run.RunView"],
    "result": ["panel/result.ResultView", "panel/revert.RevertView", "inspection/pictures.PicturesView"],
    "batch": ["batch/volumebatch.BatchView"],
    "files": ["batch/filebatch.FilesView"],
    "inspection": [
        "inspection/inspection.InspectionView",
        "inspection/shownpair.PairView",
        "inspection/blending.BlendingView",
        "inspection/errorinspection.ErrorInspectionView",
    ],
}
"""Protocols of each part of the view, with the file that they stand in."""


def classIn(path):
    """The only class of a file."""
    (node,) = [n for n in parse(path).body if isinstance(n, ast.ClassDef)]
    return node


def methodsIn(node):
    """Names and parameters of the public methods of a class."""
    found = {n.name: [a.arg for a in n.args.args] for n in node.body if isinstance(n, ast.FunctionDef)}
    return {name: parameters for name, parameters in found.items() if not name.startswith("_")}


@pytest.mark.parametrize("part", VIEWS)
def test_the_widgets_show_all_that_the_panel_says(part):
    shown = methodsIn(classIn(WIDGETS_LIB / f"{part}.py"))
    declared, said = {}, set()
    for name in VIEWS[part]:
        file, protocol = name.split(".")
        declared |= methods(parse(LIB / f"{file}.py"), protocol)
        said |= attributesOf(parse(LIB / f"{file}.py"), "_view", "view")
    if part == "run":
        shown["poll"] = ["self"]  # handed over by the widget
    assert shown == declared
    if part == "messages":
        said = set().union(*(attributesOf(parse(path), "_messages") for path in LIB.rglob("*.py")))
    assert said >= set(declared)


def test_every_part_of_the_view_is_there():
    tree = parse(LIB / "panel" / "controllers.py")
    view = next(n for n in parse(LIB / "panel" / "view.py").body if isinstance(n, ast.ClassDef) and n.name == "View")
    assert {n.target.id for n in view.body if isinstance(n, ast.AnnAssign)} == set(VIEWS)
    assert attributesOf(tree, "_view", "view") == set(VIEWS)


def resolve(chain):
    """The method that a chain such as ``panel.controllers.inspection.errors.onWorst`` names, from the sources alone."""
    holder = "Panel"
    for name in chain:
        (path,) = (found for found in LIB.rglob(f"{holder.lower()}.py") if WIDGETS_LIB not in found.parents)
        tree = parse(path)
        made = {
            n.targets[0].attr: n.value.func.id
            for n in ast.walk(tree)
            if isinstance(n, ast.Assign)
            and isinstance(n.targets[0], ast.Attribute)
            and isinstance(n.value, ast.Call)
            and isinstance(n.value.func, ast.Name)
        }
        if name not in made:
            return name in methods(tree, holder)
        holder = made[name]
    return False


def chainOf(node):
    """``a.b.c`` as a list of names."""
    if isinstance(node, ast.Attribute):
        return [*chainOf(node.value), node.attr]
    return [node.id] if isinstance(node, ast.Name) else ["?"]


def test_what_the_widgets_call_is_there():
    tree = parse(WIDGETS_LIB / "connections.py")
    chains = {tuple(chainOf(node)) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    called = set()
    for chain in chains:
        chain = list(chain)
        if chain[0] == "self":
            chain = chain[1:]
        if chain[0] == "controllers":
            chain = ["panel", *chain]
        if chain[0] in ("panel", "_panel") and chain[-1].startswith("on"):
            called.add(tuple(chain[1:]))
    assert len(called) > 10
    for chain in called:
        assert resolve(chain), chain


def test_the_panel_is_narrow():
    """No text is wider than 380 px, at 7 px a letter: buttons that share a line share its width, and labels wrap."""
    for layout in UI.iter("layout"):
        if layout.get("class") == "QHBoxLayout":
            texts = [property_of(widget, "text") or "" for widget in layout.iter("widget")]
            assert sum(7 * len(text) + 24 for text in texts) < 380, texts
    for widget in WIDGETS.values():
        if widget.get("class") == "QLabel" and not property_of(widget, "text"):
            assert property_of(widget, "wordWrap") == "true"
        if (
            widget.get("class") in CONTROLS
            and "Spin" not in widget.get("class")
            and "Slider" not in widget.get("class")
        ):
            assert widget.find("property[@name='sizePolicy']") is not None or widget.get("class") in (
                "QTableWidget",
                "QCheckBox",
            ), widget.get("name")


def test_no_text_of_a_button_is_cut_off_where_the_panel_is_narrowest():
    """At 220 px a line and 7 px a letter, a button whose width may be ignored has its share of the line, which no box
    beside it takes."""
    for layout in UI.iter("layout"):
        widgets = [item[0] for item in layout.findall("item")]
        if layout.get("class") == "QHBoxLayout" and any(one.get("class") == "QPushButton" for one in widgets):
            shares = [int(share) for share in layout.get("stretch", ",".join("1" * len(widgets))).split(",")]
            hasBox = any(one.get("class") != "QPushButton" for one in widgets)
            for widget, share in zip(widgets, shares, strict=True):
                policy = widget.find("property[@name='sizePolicy']/sizepolicy")
                if policy is not None and policy.get("hsizetype") == "Ignored":
                    isSeen = 7 * len(property_of(widget, "text")) + 8 < 220 * share / sum(shares)
                    assert isSeen and not hasBox, widget.get("name")


def test_a_table_can_be_chosen_whatever_the_case_of_its_ending():
    """Some programs write capitals, which are other endings for CTK."""
    filters = property_of(WIDGETS["fileTablePath"], "nameFilters").split()
    assert {ending.upper() for ending in filters} | {ending.lower() for ending in filters} == set(filters)


def test_texts_from_the_scene_are_no_html():
    for name in ("messageLabel", "reasonLabel", "progressLabel", "batchReasonLabel", "filesReasonLabel"):
        assert property_of(WIDGETS[name], "textFormat") == "Qt::PlainText"


def test_the_first_glance_is_fixed_moving_register_and_the_result():
    top = UI.find("widget/layout")
    names = [item[0].get("name") for item in top.findall("item")]
    assert names[:2] == ["inputsLayout", "buttonsLayout"]
    buttons = [item[0].get("name") for item in UI.find(".//layout[@name='buttonsLayout']").findall("item")]
    assert buttons == ["applyButton", "assessButton"]
    assert (
        names.index("resultLabel") < names.index("inspectCollapsibleButton") < names.index("settingsCollapsibleButton")
    )
    collapsed = {
        widget.get("name"): property_of(widget, "collapsed")
        for widget in WIDGETS.values()
        if widget.get("class") == "ctkCollapsibleButton"
    }
    assert {name for name, value in collapsed.items() if value == "false"} == {"inspectCollapsibleButton"}


def test_slicer_finds_the_entry_of_the_context_menu():
    """By the name of the file; what the entry calls is there."""
    from MADRegistrationLib.integration import contextmenu

    path = contextmenu.PLUGIN
    assert {"filePath", "itemContextMenuActions", "showContextMenuActionsForItem"} <= {
        getattr(node, "name", None) or node.targets[0].id
        for node in classIn(path).body
        if isinstance(node, (ast.FunctionDef, ast.Assign))
    }
    assert classIn(path).name == path.stem and "chooseMoving" in methods(TREE, "MADRegistrationWidget")


def test_the_context_menu_needs_the_module_subject_hierarchy_and_nothing_else_does(monkeypatch):
    slicer = pytest.importorskip("slicer", reason="needs the PyPI package slicer-core")
    from MADRegistrationLib.integration import contextmenu

    assert not hasattr(slicer, "qSlicerSubjectHierarchyScriptedPlugin")
    contextmenu.registerContextMenu()  # without the module nothing happens
    sources = []
    plugin = SimpleNamespace(setPythonSource=sources.append)
    monkeypatch.setattr(slicer, "qSlicerSubjectHierarchyScriptedPlugin", lambda parent: plugin, raising=False)
    contextmenu.registerContextMenu()
    assert sources == [str(contextmenu.PLUGIN)]
    assert "dependencies" not in attributesOf(
        TREE, "parent"
    )  # a module that is missing would keep this one from loading
