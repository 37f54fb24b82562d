"""The report in words."""

from madreg.system.lengths import millimeters
from MADRegistrationLib.results.reporttext import details, headline

REPORT = {
    "verdict": "aligned",
    "error_before_mm": 87.65,
    "error_after_mm": 1.23,
    "worst_mm": 4.56,
    "overlap": 0.876,
    "moved_mm": 60.04,
    "rotation_degrees": 12.34,
    "volume_scale": 1.331,
    "seconds": 9.8,
    "device": "CPU <8>",
    "notices": ["Padding & air."],
}


def test_the_headline_is_the_verdict_and_one_number():
    text = headline(REPORT)
    for words in ("ALIGNED", "1.2 mm", "Padding &amp; air."):
        assert words in text
    assert text.count(" mm") == 1
    assert "mm" not in headline({**REPORT, "error_after_mm": None})


def test_the_details_in_words():
    text = details(REPORT)
    expected = {
        "Estimated error before": "87.7 mm",
        "Estimated error after": "1.2 mm",
        "Largest local error": "4.6 mm",
        "Overlap": "88 %",
        "Translation": "60.0 mm",
        "Rotation": "12.3°",
        "Scale": "1.100",
        "Time": "9.8 s on CPU &lt;8&gt;",
    }
    for name, value in expected.items():
        assert name in text and value in text
    assert millimeters(None) == "unknown"


def test_the_largest_local_error_is_not_said_of_what_failed():
    assert "4.6 mm" in details({**REPORT, "verdict": "check"})
    assert "Largest local error" not in details({**REPORT, "verdict": "failed"})
    assert "Largest local error" not in details({**REPORT, "worst_mm": None})


def test_the_details_name_the_structures_that_are_farthest_off():
    known = [{"name": f"No. {n} & more", "mean_mm": float(n), "bound_mm": 2.0 * n} for n in (1, 6, 2, 5, 3, 4)]
    text = details({**REPORT, "structures": [*known, {"name": "Outside", "mean_mm": None, "bound_mm": None}]})
    places = [text.index(f"No. {n} &amp; more:") for n in (6, 5, 4, 3, 2)]
    assert places == sorted(places) and "6.0 mm, at most 12.0 mm" in text
    assert "No. 1" not in text and "Outside" not in text
