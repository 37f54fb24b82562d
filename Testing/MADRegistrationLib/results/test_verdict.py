import pytest

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
