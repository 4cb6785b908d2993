import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outspread.machines.ssh import numbered_stream as wire


def pieces_of(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(edges)]


FRAMES = st.lists(st.tuples(st.sampled_from([wire.DATA, wire.TAKEN, wire.HELLO, wire.OVER]), st.binary(max_size=40)), max_size=8)


@given(FRAMES, st.lists(st.integers(0, 1000), max_size=8))
def test_frames_are_found_however_they_are_cut(frames: list[tuple[bytes, bytes]], cuts: list[int]) -> None:
    parser = wire.FrameParser()
    data = b"".join(wire.frame(kind, payload) for kind, payload in frames)
    found = [event for piece in pieces_of(data, cuts) for event in parser.feed(piece)]
    whole = [(kind, payload) for kind, payload in frames if kind != wire.DATA]
    assert [event for event in found if event[0] != wire.DATA] == whole
    content = b"".join(payload for kind, payload in frames if kind == wire.DATA)
    assert b"".join(payload for kind, payload in found if kind == wire.DATA) == content


class End:
    """One end of a stream, as both ends use the parts."""

    def __init__(self) -> None:
        self.outgoing = wire.Outgoing()
        self.incoming = wire.Incoming()
        self.got = b""
        self.parser = wire.FrameParser()

    def send(self, data: bytes) -> bytes:
        self.outgoing.add(data)
        return wire.frame(wire.DATA, data)

    def take(self, carried: bytes) -> bytes:
        """Return what is to be answered."""
        answer = b""
        for kind, payload in self.parser.feed(carried):
            if kind == wire.DATA:
                self.incoming.add(len(payload))
                self.got += payload
            elif kind == wire.TAKEN:
                self.outgoing.acknowledge(int.from_bytes(payload, "big"))
        if self.incoming.due():
            answer = wire.frame(wire.TAKEN, wire.position(self.incoming.count))
        return answer

    def resume(self, count: int) -> bytes:
        self.parser = wire.FrameParser()
        return wire.frame(wire.DATA, self.outgoing.resume(count))


@given(
    st.lists(st.tuples(st.binary(min_size=1, max_size=30), st.integers(0, 100), st.booleans()), max_size=30),
    st.integers(1, 60),
)
def test_nothing_is_missing_and_nothing_comes_twice(steps: list[tuple[bytes, int, bool]], every: int) -> None:
    """Whatever the carrier loses at the moment it breaks, and whichever acknowledgements with it."""
    sender, receiver = End(), End()
    sent = b""
    known, wire.ACKNOWLEDGE_EVERY_BYTES = wire.ACKNOWLEDGE_EVERY_BYTES, every
    try:
        for data, delivered, breaks in steps:
            sent += data
            carried = sender.send(data)
            if not breaks:
                sender.take(receiver.take(carried))
                continue
            receiver.take(carried[:delivered])  # the rest is lost, and the answer too
            receiver.parser = wire.FrameParser()
            sender.take(receiver.take(sender.resume(receiver.incoming.count)))
    finally:
        wire.ACKNOWLEDGE_EVERY_BYTES = known
    assert receiver.got == sent
    assert len(sender.outgoing) < every + 1


def test_what_is_acknowledged_is_forgotten() -> None:
    outgoing = wire.Outgoing()
    outgoing.add(b"abcdef")
    outgoing.acknowledge(4)
    assert len(outgoing) == 2
    assert outgoing.resume(5) == b"f"


@pytest.mark.parametrize("count", [3, 7])
def test_an_end_that_counts_wrong_is_found_out(count: int) -> None:
    outgoing = wire.Outgoing()
    outgoing.add(b"abcdef")
    outgoing.acknowledge(4)
    with pytest.raises(wire.StreamBrokenError):
        outgoing.acknowledge(count)


def test_a_frame_that_nobody_sends_is_found_out() -> None:
    with pytest.raises(wire.StreamBrokenError):
        wire.FrameParser().feed(wire.HELLO + (wire.LARGEST_PAYLOAD_BYTES + 1).to_bytes(4, "big"))
    assert wire.FrameParser().feed(wire.DATA + (wire.LARGEST_PAYLOAD_BYTES + 1).to_bytes(4, "big")) == []
