"""What is chosen in the selectors, and why it cannot be registered."""

import numpy as np
from doubles import makeParameters


def test_why_the_button_is_disabled_stands_below_it(panel, view, volumes, addVolume, scene):
    fixed, moving, _ = volumes
    labels = addVolume(np.zeros((4, 5, 6), np.int16), nodeClass="vtkMRMLLabelMapVolumeNode", name="Labels")
    resampled = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Resampled")
    expected = [
        (None, False, "no scene"),
        (makeParameters(), False, "Choose a fixed and a moving volume."),
        (makeParameters(fixedVolume=fixed), False, "Choose a fixed and a moving volume."),
        (makeParameters(fixedVolume=fixed, movingVolume=fixed), False, "the same"),
        (makeParameters(fixedVolume=labels, movingVolume=moving), False, "label map"),
        (makeParameters(fixedVolume=fixed, movingVolume=labels), False, "label map"),
        (makeParameters(fixedVolume=fixed, movingVolume=moving, resampledVolume=fixed), False, "overwritten"),
        (
            makeParameters(
                fixedVolume=fixed,
                movingVolume=moving,
                resampledVolume=resampled,
                hasFillValue=True,
                fillValue=-40000.0,
            ),
            False,
            "cannot hold the fill value -40000",
        ),
        (makeParameters(fixedVolume=fixed, movingVolume=moving), True, ""),
    ]
    for parameters, isEnabled, reason in expected:
        panel.setParameters(parameters)
        assert view.shown["Button"][:2] == ("Register", isEnabled)
        assert reason in view.shown["Button"][2] and bool(reason) != isEnabled
