"""The choices of the panel are those of the backend."""

import pytest
from doubles import makeParameters

import madreg.settings
from MADRegistrationLib.selection import parameters as p


def test_the_choices_are_the_backends():
    settings = pytest.importorskip("madreg.settings", reason="needs torch")
    for kind in p.TransformType:
        for start in p.Initialization:
            for measure in p.Measure:
                parameters = makeParameters(transformType=kind, initialization=start, measure=measure)
                settings.Settings(**p.settingsOf(parameters)).check()
                assert kind.label() and start.label() and measure.label()


def test_the_choices_of_resampling_are_the_backends():
    for interpolation, kind in zip(p.Interpolation, p.VoxelType, strict=False):
        assert interpolation.label() and kind.label()
    assert tuple(one.value for one in p.Interpolation) == madreg.settings.INTERPOLATION.values
    assert tuple(one.value for one in p.VoxelType) == madreg.settings.VOXEL_TYPE.values
    parameters = makeParameters(fillValue=-5.0)
    assert p.resamplingOf(parameters) == madreg.settings.Resampling()
    parameters.hasFillValue = True
    assert p.resamplingOf(parameters) == madreg.settings.Resampling(fill=-5.0)
