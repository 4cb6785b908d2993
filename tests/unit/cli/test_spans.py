import pytest

from outspread.cli.spans import span


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-1, "0.0s"), (0, "0.0s"), (0.44, "0.4s"), (9.94, "9.9s"), (9.96, "10s"), (59.4, "59s"), (59.6, "1m00s"), (65, "1m05s"),
     (3599.6, "1h00m"), (3725, "1h02m"), (360000, "100h00m")],
)  # fmt: skip
def test_spans_have_the_digits_that_matter(seconds: float, text: str) -> None:
    assert span(seconds) == text
