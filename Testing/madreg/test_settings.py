"""The table of options: complete, consistent with what computes, and checked."""

import argparse
from dataclasses import fields

import pytest

from madreg.commands.options import add_options
from madreg.errors import InputError
from madreg.measures import MEASURES
from madreg.settings import INITIALIZATION, MEASURE, OPTIONS, TYPE, Resampling, Settings


def test_the_choices_are_those_that_compute():
    from madreg.descent.parameters import DEGREES_OF_FREEDOM

    assert set(TYPE.values) == set(DEGREES_OF_FREEDOM)
    assert MEASURE.values == ("default", *MEASURES)
    for entry in MEASURES.values():
        assert entry.load().__name__ == entry.class_name


def test_the_resolution_of_each_measure_is_the_one_at_which_it_computes():
    from madreg.image.pair import SPACING
    from madreg.network import weights

    network = weights.load_features()[0]
    finest_first = [f"{network.settings.spacing * 2**number:g}" for number in range(len(network.levels))]
    *coarser, finest = reversed(finest_first)
    assert MEASURES["mad"].resolution == f"{', '.join(coarser)} and {finest} mm"
    assert {MEASURES[name].resolution for name in ("nmi", "ngf", "mad-distance")} == {f"{SPACING:g} mm"}
    for choice in MEASURE.choices[1:]:
        assert choice.help.endswith(f"at {MEASURES[choice.value].resolution}")


def test_every_setting_is_an_option_with_its_default():
    for one in (*fields(Settings), *fields(Resampling)):
        option = OPTIONS["initial_transform" if one.name == "start" else one.name]
        assert option.default == one.default
        assert option.label and option.help
        assert len(set(option.values)) == len(option.values)
        for value in option.values:
            assert option.label_of(value)


def test_the_former_names_are_understood():
    assert Settings(init="given").init == "none" and Settings(init="mass").init == "center_of_mass"
    parser = argparse.ArgumentParser()
    add_options(parser, *OPTIONS)
    args = parser.parse_args(["--init", "mass", "--start", "a.tfm"])
    assert (args.init, args.initial_transform) == ("center_of_mass", "a.tfm")
    assert parser.parse_args([]).init == INITIALIZATION.default


@pytest.mark.parametrize("values", [{}, {"type": "affine", "seed": 7, "device": "cuda:1", "init": "none"}])
def test_settings_come_from_a_mapping(values):
    assert Settings.from_mapping(values) == Settings(**values)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (None, "not a table"),
        ([1], "not a table"),
        ({"colour": 1}, 'no setting "colour"'),
        ({1: 2}, 'no setting "1"'),
        ({"type": "elastic"}, 'no transform type "elastic"'),
        ({"type": ["rigid"]}, "no transform type"),
        ({"measure": "ssd"}, 'no measure "ssd": choose one of default, mad, nmi, ngf'),
        ({"init": {}}, "no initialization"),
        ({"seed": -1}, 'random seed "-1"'),
        ({"seed": True}, "random seed"),
        ({"seed": 1.5}, "random seed"),
        ({"seed": 2**32}, "random seed"),
        ({"device": "cpu:"}, 'no device "cpu:"'),
        ({"device": "cuda:²"}, "no device"),
        ({"device": None}, "no device"),
        ({"weights": 3}, "weights are not the name of a file"),
    ],
)
def test_what_does_not_exist_is_one_sentence(values, said):
    with pytest.raises(InputError, match=said) as caught:
        Settings.from_mapping(values)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("values", [{}, {"interpolation": "nearest", "fill": -1024.5, "voxel_type": "float32"}])
def test_resampling_comes_from_a_mapping(values):
    assert Resampling.from_mapping(values) == Resampling(**values)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([], "not a table"),
        ({"spline": 3}, 'no setting "spline"'),
        ({"interpolation": "cubic"}, 'no interpolation "cubic": choose one of linear, nearest, bspline, sinc'),
        ({"voxel_type": "int12"}, 'no voxel type "int12"'),
        ({"fill": "air"}, 'fill value "air"'),
        ({"fill": float("nan")}, "give a number"),
        ({"fill": True}, "give a number"),
    ],
)
def test_resampling_that_cannot_be_used_is_refused(values, said):
    with pytest.raises(InputError, match=said):
        Resampling.from_mapping(values)
