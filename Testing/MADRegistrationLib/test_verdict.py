import pytest

from MADRegistrationLib.verdict import millimetres, resultHtml, verdictOf


@pytest.mark.parametrize("error, overlap, verdict", [
    (0.4, 0.9, "aligned"), (3.2, 0.9, "aligned"), (3.4, 0.9, "check"), (12.9, 0.9, "check"), (13.1, 0.9, "failed"),
    (0.4, 0.1, "check"), (14.0, 0.1, "failed"), (None, 0.9, "check"),
])
def test_verdict_follows_the_estimate(error, overlap, verdict):
    assert verdictOf({"error_after_mm": error, "overlap": overlap})[0] == verdict


def test_the_result_in_words():
    html = resultHtml({"error_before_mm": 87.65, "error_after_mm": 1.23, "overlap": 0.876, "moved_mm": 60.04,
                       "rotation_degrees": 12.34, "volume_scale": 1.331, "seconds": 9.8, "device": "CPU <8>",
                       "notices": ["Padding & air."]})
    for words in ("ALIGNED", "87.7 mm", "1.2 mm", "88 %", "60.0 mm", "12.3°", "1.100", "9.8 s on CPU &lt;8&gt;",
                  "Padding &amp; air."):
        assert words in html
    assert millimetres(None) == "unknown"
