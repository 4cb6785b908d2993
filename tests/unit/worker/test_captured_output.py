"""Output is kept whole while it is small, and by its two ends when it is not."""

from hypothesis import given
from hypothesis import strategies as st

from outspread.worker.captured_output import CapturedOutput


@given(st.lists(st.binary(max_size=40)), st.integers(1, 30))
def test_both_ends_are_kept_and_the_gap_is_counted(pieces: list[bytes], keep: int) -> None:
    captured = CapturedOutput(keep)
    for piece in pieces:
        captured.add(piece)
    whole = b"".join(pieces)
    assert captured.size_bytes == len(whole)
    if len(whole) <= 2 * keep:
        assert captured.data() == whole
    else:
        note = f"\n(... {len(whole) - 2 * keep} bytes left out ...)\n".encode()
        assert captured.data() == whole[:keep] + note + whole[-keep:]


@given(st.lists(st.binary(max_size=40)), st.integers(1, 30))
def test_the_end_is_the_end(pieces: list[bytes], keep: int) -> None:
    captured = CapturedOutput(keep)
    for piece in pieces:
        captured.add(piece)
    whole = b"".join(pieces)
    size = min(keep, 7)
    assert captured.end(size) == whole[-size:]


def test_a_flood_takes_no_more_memory_than_a_few_times_what_is_kept() -> None:
    captured = CapturedOutput(1000)
    for _ in range(100_000):
        captured.add(b"y\n" * 50)
    assert captured.size_bytes == 10_000_000
    assert len(captured.data()) < 2100
