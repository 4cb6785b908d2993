"""The time before each line."""

import re
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outspread.worker.line_times import LineTimes


def stamped(pieces: list[bytes], times: Iterator[float] | None = None) -> bytes:
    out: list[bytes] = []
    clock = times.__next__ if times else lambda: 0.25
    lines = LineTimes(out.append, clock)
    for piece in pieces:
        lines.add(piece)
    return b"".join(out)


def test_each_line_has_the_time_of_its_first_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    said = stamped([b"a", b"b\nc", b"\n\n", b"d\n"], iter([1.0, 2.5, 3.0, 3723.0049]))
    assert re.sub(rb"^\d\d", b"HH", said, flags=re.MULTILINE).decode() == (
        "HH:00:01.000 ab\nHH:00:02.500 c\nHH:00:03.000 \nHH:02:03.004 d\n"
    )


@given(st.lists(st.binary(max_size=20), max_size=10))
def test_without_the_times_it_is_what_was_printed(pieces: list[bytes]) -> None:
    said = stamped(pieces)
    assert re.sub(rb"(?m)(\A|(?<=\n))\d\d:\d\d:\d\d\.\d{3} ", b"", said) == b"".join(pieces)
