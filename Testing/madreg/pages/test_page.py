"""The page to keep: complete, self-contained, and valid."""

import base64
import re
from datetime import datetime
from html.parser import HTMLParser

import numpy as np
import pytest

from madreg.pages import pictures
from madreg.pages.page import MOST_STRUCTURES, page
from madreg.pages.pictures import Pictures
from madreg.quality.error_map import ErrorMap

VOID = {"meta", "img", "br"}


class Checker(HTMLParser):
    """Every element is closed, in order; text is collected."""

    def __init__(self, source):
        super().__init__()
        self.open, self.texts, self.sources, self.names = [], [], [], set()
        self.feed(source)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.names.add(tag)
        self.sources += [value for name, value in attrs if name in ("src", "href")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.texts).split())


def scan(name, series=None):
    return {"name": name, "series": series, "size": [10, 20, 30], "spacing_mm": [1.0, 2.0, 2.5], "notices": []}


@pytest.fixture
def report():
    return {
        "madreg": "0.1.0",
        "fixed": scan("/scans/T1 <one>.nii.gz"),
        "moving": scan("ct", "1.2.3"),
        "transform": "found.tfm",
        "transform_type": "rigid",
        "matrix_fixed_to_moving_lps": np.eye(4).tolist(),
        "error_mm": 1.23,
        "verdict": "aligned",
        "overlap": 0.93,
        "worst_mm": 3.4,
        "worst_point_lps": [-10.2, 20.0, -30.0],
        "seconds": 2.0,
        "device": "CPU",
        "settings": {"device": "auto", "seed": 0, "weights": None},
        "weights_sha256": "ab12",
        "inputs_sha256": {"fixed": "f" * 64, "moving": "e" * 64, "transform": "d" * 64},
        "versions": {"torch": "2.9"},
        "platform": "Linux",
        "notices": ["Slices are <missing>."],
    }


def shown(report, sides=None):
    source = page(report, sides or Pictures(b"one", b"two", b"three"), datetime(2026, 1, 2, 3, 4))
    checked = Checker(source)
    assert not checked.open and source.startswith("<!DOCTYPE html>")
    return source, checked


def test_everything_is_said(report):
    _, checked = shown(report)
    for text in (
        "Alignment of ct with T1 <one>.nii.gz",
        "Aligned",
        "1.2 mm",
        "3.4 mm, at R 10, P 20, I 30",
        "93 %",
        "10 x 20 x 30 voxels of 1 x 2 x 2.5 mm",
        "1.2.3",
        "found.tfm (rigid)",
        "f" * 64,
        "e" * 64,
        "d" * 64,
        "ab12",
        "torch 2.9",
        "device: auto, seed: 0",
        "Slices are <missing>.",
        "2026-01-02 03:04",
        "not a medical device",
    ):
        assert text in checked.text, text


def test_lengths_of_a_small_object_are_not_all_zero(report):
    report |= {"error_mm": 0.012, "worst_mm": 0.034, "worst_point_lps": [-0.04, 3.0, -0.3]}
    _, checked = shown(report)
    assert "0.012 mm" in checked.text and "0.034 mm, at R 0.040, P 3.0, I 0.3" in checked.text


def test_it_needs_no_other_file(report):
    source, checked = shown(report)
    assert [base64.b64decode(one.partition("base64,")[2]) for one in checked.sources] == [b"one", b"two", b"three"]
    assert not re.search(r"https?://|@import|url\(", source) and not checked.names & {"script", "link", "iframe"}


@pytest.mark.parametrize("word", ["check", "failed"])
def test_of_a_registration_without_errors(report, word):
    del report["error_mm"], report["worst_mm"], report["transform"], report["transform_type"]
    report |= {"error_after_mm": None, "error_before_mm": None, "verdict": word, "rotation_degrees": 12.34}
    _, checked = shown(report, Pictures(b"one", b"two", None))
    assert "unknown" in checked.text and "12.3 degrees" in checked.text and len(checked.sources) == 2
    report |= {"error_after_mm": 2.0, "error_before_mm": 40.0}
    assert "2.0 mm (before: 40.0 mm)" in shown(report)[1].text


def test_a_failed_alignment_has_no_local_errors(report):
    assert "Largest estimated error" in shown(report)[1].text
    assert "Largest estimated error" not in shown(report | {"verdict": "failed"})[1].text


def test_of_a_registration_from_an_initial_transform(report):
    del report["transform"], report["transform_type"]
    report["initial_transform"] = "start.tfm"
    report["inputs_sha256"] = {"initial_transform": "c" * 64}
    text = shown(report)[1].text
    assert "Initial transform start.tfm" in text and f"Initial transform, SHA-256 {'c' * 64}" in text


def test_a_failed_verdict_does_not_say_that_the_pose_is_wrong(report):
    """The scans of a nearly symmetric object fail at the right pose too."""
    assert "not aligned, or no pose is clearly the right one" in shown(report | {"verdict": "failed"})[1].text


def test_structures(report):
    structure = {"label": 1, "name": "Left <eye>", "voxels": 1234, "volume_ml": 9.87, "known": 0.5}
    report["structures"] = [
        {**structure, "mean_mm": 1.1, "bound_mm": 3.3, "largest_mm": 2.2},
        {**structure, "mean_mm": 1.4, "bound_mm": None, "largest_mm": 2.4},
        {**structure, "mean_mm": None, "bound_mm": None, "largest_mm": None},
    ]
    text = shown(report)[1].text
    assert "Left <eye> 1234 9.9 ml 1.1 mm 3.3 mm 2.2 mm 50 %" in text and "In 95 % of cases at most" in text
    assert "1.4 mm unknown 2.4 mm" in text and "unknown unknown unknown" in text


@pytest.mark.parametrize("number", [0, MOST_STRUCTURES, MOST_STRUCTURES + 1])
def test_two_sides_and_between_them_a_long_list_of_structures(report, number):
    one = {"label": 1, "name": "Eye", "voxels": 1, "volume_ml": 1.0, "known": 1.0}
    one |= {"mean_mm": 1.0, "bound_mm": 2.0, "largest_mm": 2.0}
    report["structures"] = [one] * number
    source, _ = shown(report)
    sides = re.findall(r'<section class="side">(.*?)</section>', source, flags=re.DOTALL)
    between = source.split("</section>")[1].split("<section")[0]
    assert len(sides) == 2 and sides[0].count("<img") == 1 and sides[1].count("<img") == 2
    assert sides[0].count("Eye") == (number if number <= MOST_STRUCTURES else 0)
    assert between.count("Eye") == number - sides[0].count("Eye") and "Eye" not in sides[1]


def test_no_jargon_before_the_record(report):
    source, _ = shown(report)
    for word in ("consensus", "flip", "NMI", "NGF", "LPS", "affine", "tensor", "foreground", "None", "nan"):
        assert word not in Checker(re.sub(r"<h2>Record.*</table>", "", source, flags=re.DOTALL)).text, word


@pytest.mark.slow
def test_the_pictures(odd_grids, blob_volume):
    from io import BytesIO

    from matplotlib.image import imread

    volume = blob_volume(odd_grids["plain"], sigma_mm=15.0)
    values = np.full(odd_grids["plain"].shape, 4.0, np.float32)
    errors = ErrorMap(values, odd_grids["plain"], 4.0, odd_grids["plain"].center)
    sides = pictures.draw(volume, volume, np.eye(4), errors)
    scans, mixed, errors = (imread(BytesIO(one), format="jpeg").astype(float) for one in vars(sides).values())
    assert scans.shape[0] > mixed.shape[0] > 400 and scans.shape[1] > 1000
    assert np.ptp(scans, -1).max() > 100  # orange edges
    red = (errors[..., 0] - errors[..., 2] > 80).mean()
    assert red > 0.1 and red > 3 * (mixed[..., 0] - mixed[..., 2] > 80).mean()
    assert pictures.draw(volume, volume, np.eye(4), None).errors is None
