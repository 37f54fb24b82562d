"""Nodes of a registration and of an assessment of the same volumes have different names."""

from doubles import makeParameters, run

from MADRegistrationLib.results import errormap
from MADRegistrationLib.selection.parameters import Measure


def test_the_maps_of_a_registration_and_of_an_assessment_have_names_of_their_own(panel, volumes):
    panel.setParameters(makeParameters(fixedVolume=volumes[0], movingVolume=volumes[1], measure=Measure.NMI))
    for action in (panel.registerAction, panel.assessAction):
        action.onButton()
        run(panel)
    assert sorted(node.GetName() for node in errormap.maps()) == [
        "CT to MR assessed error (MAD)",
        "CT to MR error (MAD)",
    ]
