import pytest

from MADRegistrationLib.results.reporttext import details, headline, millimetres
from MADRegistrationLib.results.verdict import COLORS, REASONS, verdictOf


@pytest.mark.parametrize(
    ("said", "error", "verdict"),
    [
        ("aligned", 0.4, "aligned"),
        ("check", 3.4, "check"),
        ("failed", 13.1, "failed"),
        ("aligned", None, "check"),
        ("failed", None, "failed"),
    ],
)
def test_verdict_is_the_backends_unless_nothing_supports_it(said, error, verdict):
    found, reason = verdictOf({"verdict": said, "error_after_mm": error, "little_overlap": False})
    assert found == verdict and reason.endswith(".") and "little in common" not in reason


@pytest.mark.parametrize(
    ("overlap", "error", "verdict", "isSaid"),
    [
        (0.15, 0.4, "check", True),
        (0.15, 14.0, "failed", False),
        (0.9, 0.4, "aligned", False),
        (0.9, 4.0, "check", False),
    ],
)
def test_little_overlap_is_the_backends_and_is_said(overlap, error, verdict, isSaid):
    pytest.importorskip("torch")
    from madreg.image.transform import Transform
    from madreg.pipeline.result import Result
    from madreg.quality.quality import Quality
    from madreg.settings import Settings

    identity = Transform.identity()
    quality = Quality(identity, error, 0.5, 2.0, identity, overlap)
    report = Result(identity, identity, Settings(), [], 1.0, "CPU", error, error, "blocks", overlap, quality).report()
    found, reason = verdictOf(report)
    assert found == verdict and ("little in common" in reason) == isSaid


def test_every_verdict_of_the_backend_has_words():
    pytest.importorskip("torch")
    from madreg.image.transform import Transform
    from madreg.quality.quality import Quality

    identity = Transform.identity()
    verdicts = {Quality(identity, error, 0.5, 2.0, identity).verdict for error in (1.0, 5.0, 20.0)}
    assert verdicts == set(REASONS) == set(COLORS)


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
    assert millimetres(None) == "unknown"


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
