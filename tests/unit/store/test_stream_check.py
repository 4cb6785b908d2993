"""A stream is sound when all of it has come and nothing else."""

import pytest

from outspread.store.digest import Digest
from outspread.store.stream_check import StreamCheck


@pytest.mark.parametrize(
    ("pieces", "sound"),
    [
        ([b"con", b"tent"], [True, True]),
        ([b"content"], [True]),
        ([b"con", b"tant"], [True, False]),
        ([b"con", b"tent and more"], [True, False]),
        ([b"con", b"ten"], [True, True]),  # the last one has yet to come
    ],
)
async def test_the_last_piece_tells(pieces: list[bytes], sound: list[bool]) -> None:
    check = StreamCheck(Digest.of(b"content"))
    assert [await check.is_sound(piece) for piece in pieces] == sound
    check.end()
