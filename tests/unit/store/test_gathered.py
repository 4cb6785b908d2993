"""Small pieces become larger ones, none gets lost."""

from collections.abc import AsyncIterator

import pytest

from outspread.store.gathered import gathered


async def pieces(*contents: bytes, error: Exception | None = None) -> AsyncIterator[bytes]:
    for content in contents:
        yield content
    if error is not None:
        raise error


async def test_pieces_are_put_together() -> None:
    assert [piece async for piece in gathered(pieces(b"ab", b"c", b"", b"defgh", b"i"), 3)] == [b"abc", b"defgh", b"i"]
    assert [piece async for piece in gathered(pieces(b"", b""), 3)] == []


async def test_what_came_before_an_error_is_not_lost() -> None:
    stream = gathered(pieces(b"ab", b"c", b"d", error=OSError("broken")), 3)
    assert [await anext(stream), await anext(stream)] == [b"abc", b"d"]
    with pytest.raises(OSError, match="broken"):
        await anext(stream)
