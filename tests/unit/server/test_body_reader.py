"""Bodies come in bounded room and time."""

import asyncio
from collections.abc import Sequence

import pytest

from outspread.server.asgi import Message, Receive, Scope
from outspread.server.body_reader import BodyReader, ClientGoneError
from outspread.server.problem import Code, ProblemError

SCOPE: Scope = {"headers": []}


def saying(*messages: Message) -> Receive:
    said = list(messages)

    async def receive() -> Message:
        if not said:
            await asyncio.Event().wait()
        return said.pop(0)

    return receive


def parts(*bodies: bytes) -> Sequence[Message]:
    return [{"type": "http.request", "body": body, "more_body": place < len(bodies)} for place, body in enumerate(bodies, 1)]


@pytest.mark.parametrize("bodies", [(b"",), (b"abc",), (b"a", b"", b"bc")])
async def test_a_body_is_put_together(bodies: tuple[bytes, ...]) -> None:
    assert await BodyReader(SCOPE, saying(*parts(*bodies))).whole(3) == b"".join(bodies)


@pytest.mark.parametrize("bodies", [(b"abcd",), (b"ab", b"cd")])
async def test_a_large_one_is_refused(bodies: tuple[bytes, ...]) -> None:
    with pytest.raises(ProblemError) as caught:
        await BodyReader(SCOPE, saying(*parts(*bodies))).whole(3)
    assert caught.value.code is Code.TOO_LARGE


async def test_one_that_says_so_is_refused_before_it_comes() -> None:
    with pytest.raises(ProblemError) as caught:
        await BodyReader({"headers": [(b"content-length", b"4")]}, saying()).whole(3)
    assert caught.value.code is Code.TOO_LARGE


@pytest.mark.parametrize("come", [(), (b"a",)])
async def test_one_that_does_not_come_is_not_waited_for(come: tuple[bytes, ...]) -> None:
    begun: list[Message] = [{"type": "http.request", "body": body, "more_body": True} for body in come]
    with pytest.raises(ProblemError) as caught:
        await BodyReader(SCOPE, saying(*begun), grace_s=0.01).whole(3)
    assert caught.value.code is Code.TOO_SLOW


async def test_who_went_away_is_not_answered() -> None:
    with pytest.raises(ClientGoneError):
        await BodyReader(SCOPE, saying(*parts(b"a", b"b")[:1], {"type": "http.disconnect"})).whole(3)
