import pytest
from hypothesis import given
from hypothesis import strategies as st

from outspread.project.durations import parse_duration_ns

S = 1_000_000_000


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90s", 90 * S),
        ("1m30s", 90 * S),
        ("1.5h", 5400 * S),
        ("500ms", S // 2),
        (".5s", S // 2),
        ("5.s", 5 * S),
        ("-1ns", -1),
        ("+1us", 1000),
        ("1\u00b5s", 1000),
        ("1\u03bcs", 1000),
        ("0", 0),
        ("-0", 0),
        ("", None),
        ("5", None),
        ("-1", None),
        ("s", None),
        (".s", None),
        ("1 s", None),
        ("1d", None),
        ("1h1", None),
        ("+-1s", None),
        ("9" * 100_000 + "h", None),
        ("300000h" * 10, None),
        ("\u0661s", None),
    ],
)
def test_durations(text: str, expected: int | None) -> None:
    assert parse_duration_ns(text) == expected


@given(st.integers(0, 10**6), st.integers(0, 59), st.integers(0, 59))
def test_parts_add_up(hours: int, minutes: int, seconds: int) -> None:
    assert parse_duration_ns(f"{hours}h{minutes}m{seconds}s") == (hours * 3600 + minutes * 60 + seconds) * S
