"""Results in a scene that another version has saved, or that a script has changed: the panel works on without them."""

import json

import numpy as np
import pytest
import slicer
from doubles import makeParameters, run

from MADRegistrationLib.results import errormap, reporttext, savedregistration, storedreport
from MADRegistrationLib.results.readablereport import isReadable
from MADRegistrationLib.scene.attributes import ATTRIBUTE_PREFIX, WORST_MM, WORST_POINT
from MADRegistrationLib.selection.parameters import Measure

ODD = ["x", None, "", "null", "{}", "[]", "1 2", '{"verdict": "unsure"}', '{"transform": {}, "movingWasUnder": false}']

REPORT = {
    "verdict": "check",
    "error_before_mm": 3.0,
    "error_after_mm": 2.0,
    "worst_mm": 4.0,
    "overlap": 0.9,
    "seconds": 1,
    "device": "CPU",
    "rotation_degrees": 1.0,
    "volume_scale": 1.0,
    "structures": [{"name": "Eye", "mean_mm": 1.5, "bound_mm": None}],
    "notices": ["Little in common."],
}


def test_a_report_is_readable():
    assert isReadable(REPORT) and isReadable({"overlap": 1, "seconds": 2.5, "device": "CPU"})


@pytest.mark.parametrize(
    "change",
    [
        {"verdict": "unsure"},
        {"overlap": None},
        {"seconds": "long"},
        {"error_after_mm": "3"},
        {"bound_mm": []},
        {"rotation_degrees": None},
        {"volume_scale": None},
        {"structures": {"Eye": 1.5}},
        {"structures": [{"name": "Eye", "mean_mm": 1.5}]},
        {"structures": [["Eye", 1.5, 2.5]]},
        {"notices": [3]},
    ],
)
def test_a_report_that_cannot_be_shown_is_not(change):
    report = REPORT | change
    assert not isReadable(report)
    with pytest.raises((KeyError, TypeError, ValueError, AttributeError)):  # the check is not stricter than needed
        reporttext.headline(report) + reporttext.details(report)


@pytest.mark.parametrize("change", [{"volume_scale": -1.0}, {"notices": "Little in common."}])
def test_a_report_that_would_be_shown_wrongly_is_not(change):
    """As a complex number, or letter by letter."""
    assert not isReadable(REPORT | change)


@pytest.fixture
def registered(panel, volumes):
    """CT, registered to MR with a map, and again; the transform and the map."""
    panel.setParameters(makeParameters(fixedVolume=volumes[0], movingVolume=volumes[1], measure=Measure.NMI))
    for _ in range(2):  # the second one keeps what the transform was
        panel.registerAction.onButton()
        run(panel)
    return volumes[1].GetParentTransformNode(), errormap.find(*volumes[:2])


def useAll(panel):
    """All of the panel that reads attributes."""
    panel.update()
    panel.controllers.inspection.errors.onErrorMap(True)
    panel.controllers.inspection.errors.onWorst()
    panel.controllers.inspection.errors.onErrorMap(False)
    panel.controllers.run.forget()  # as in a scene that was loaded
    panel.update()
    assert panel.controllers.revert.isPossible == bool(savedregistration.newest())


@pytest.mark.parametrize("odd", [ODD[0], *(pytest.param(one, marks=pytest.mark.slow) for one in ODD[1:])])
def test_odd_values_in_a_scene_leave_the_panel_usable(panel, view, volumes, registered, odd):
    for node in registered:
        names = [name for name in node.GetAttributeNames() if name.startswith(ATTRIBUTE_PREFIX)]
        before = {name: node.GetAttribute(name) for name in names}
        for name in names:
            node.SetAttribute(name, odd)
            useAll(panel)
            node.SetAttribute(name, before[name])
    useAll(panel)
    assert "CHECK" in view.shown["Result"][0] and panel.controllers.revert.isPossible


def test_without_the_attributes_the_worst_point_is_the_largest_voxel(panel, volumes, registered):
    _, node = registered
    error, point = errormap.worst(node)
    for name in (WORST_MM, WORST_POINT):
        node.SetAttribute(name, "unknown")
    found, where = errormap.worst(node)
    assert found == pytest.approx(error) and error == slicer.util.arrayFromVolume(node).max()
    np.testing.assert_allclose(where, point, atol=1e-4)


def test_the_stored_report_is_the_one_that_is_found(volumes, registered):
    transform, _ = registered
    transform.SetAttribute(storedreport.REPORT, json.dumps(REPORT))
    assert storedreport.read(transform, *volumes[:2]).report == REPORT
