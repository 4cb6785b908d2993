from hypothesis import given
from hypothesis import strategies as st

from outspread.worker.commands.executor.frames import FrameReader, Message, encode_frame

messages = st.lists(st.tuples(st.sampled_from(["run", "ended"]), st.integers(), st.binary(max_size=50), st.none()), max_size=4)


@given(st.lists(messages, max_size=6), st.integers(min_value=1, max_value=60))
def test_messages_come_through_whatever_the_pieces(frames: list[list[Message]], piece_bytes: int) -> None:
    stream = b"".join(encode_frame(frame) for frame in frames)
    reader = FrameReader()
    came: list[Message] = []
    for start in range(0, len(stream), piece_bytes):
        came += reader.feed(stream[start : start + piece_bytes])
    assert came == [message for frame in frames for message in frame]
