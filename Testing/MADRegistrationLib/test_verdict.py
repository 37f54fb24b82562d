from pathlib import Path

import pytest

from MADRegistrationLib.verdict import COLORS, REASONS, millimetres, resultHtml, verdictOf


@pytest.mark.parametrize("said, error, overlap, verdict", [
    ("aligned", 0.4, 0.9, "aligned"), ("check", 3.4, 0.9, "check"), ("failed", 13.1, 0.9, "failed"),
    ("aligned", 0.4, 0.1, "check"), ("failed", 14.0, 0.1, "failed"), ("aligned", None, 0.9, "check"),
    ("failed", None, 0.9, "failed"),
])
def test_verdict_is_the_backends_unless_nothing_supports_it(said, error, overlap, verdict):
    found, reason = verdictOf({"verdict": said, "error_after_mm": error, "overlap": overlap})
    assert found == verdict and reason.endswith(".")


def test_every_verdict_of_the_backend_has_words():
    estimate = pytest.importorskip("madreg.estimate", reason="needs torch")
    source = Path(estimate.__file__).read_text()
    assert set(REASONS) == set(COLORS)
    for verdict in REASONS:
        assert f'"{verdict}"' in source


def test_the_result_in_words():
    html = resultHtml({
        "verdict": "aligned", "error_before_mm": 87.65, "error_after_mm": 1.23, "worst_mm": 4.56, "overlap": 0.876,
        "moved_mm": 60.04, "rotation_degrees": 12.34, "volume_scale": 1.331, "seconds": 9.8, "device": "CPU <8>",
        "notices": ["Padding & air."]})
    for words in ("ALIGNED", "87.7 mm", "1.2 mm", "4.6 mm", "88 %", "60.0 mm", "12.3°", "1.100",
                  "9.8 s on CPU &lt;8&gt;", "Padding &amp; air."):
        assert words in html
    assert millimetres(None) == "unknown"
