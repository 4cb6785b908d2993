from hypothesis import given
from hypothesis import strategies as st

from outspread.worker.commands.executor.log_capture import LogCapture


@given(
    st.lists(st.tuples(st.binary(max_size=40), st.booleans())),
    st.integers(min_value=0, max_value=30),
    st.integers(min_value=1, max_value=30),
)
def test_what_is_kept_is_the_beginning_and_the_end(prints: list[tuple[bytes, bool]], head_bytes: int, tail_bytes: int) -> None:
    capture = LogCapture(head_bytes, tail_bytes)
    passed_on = b""
    for data, take in prints:
        capture.add(data)
        if take:
            passed_on += capture.take()
    everything = b"".join(data for data, _ in prints)
    rest = everything[head_bytes:]
    left_out = max(0, len(rest) - tail_bytes)
    pieces = capture.finish()
    kept = passed_on + b"".join(data for _, data in pieces)
    assert kept == everything[:head_bytes] + rest[left_out:]
    assert sum(skipped for skipped, _ in pieces) == left_out
    assert everything.startswith(passed_on)
    assert all(not skipped or data == rest[left_out:] for skipped, data in pieces)


def test_memory_stays_bounded_however_small_the_prints() -> None:
    capture = LogCapture(0, 100)
    for _ in range(10_000):
        capture.add(b"x")
        assert len(capture._tail) <= 200
