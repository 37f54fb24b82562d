"""What is chosen before the user has chosen."""

import numpy as np
from doubles import makeParameters

from MADRegistrationLib.selection.firstvolumes import chooseFirstVolumes


def test_a_new_set_of_parameters_begins_with_the_first_two_scans(scene, addVolume, volumes):
    scene.RemoveNode(volumes[0])
    addVolume(np.zeros((4, 5, 6), np.int16), nodeClass="vtkMRMLLabelMapVolumeNode", name="Labels")
    chooseFirstVolumes(parameters := makeParameters())
    assert (parameters.fixedVolume, parameters.movingVolume) == (volumes[1], volumes[2])
    chooseFirstVolumes(parameters := makeParameters(movingVolume=volumes[1]))
    assert parameters.fixedVolume is None
    scene.RemoveNode(volumes[1])
    chooseFirstVolumes(parameters := makeParameters())
    assert parameters.movingVolume is None
