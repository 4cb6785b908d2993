"""Ask several things at a time, and have the answers in order."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final, TypeVar

_Item = TypeVar("_Item")
_Answer = TypeVar("_Answer")

AT_ONCE: Final = 8


async def answers(
    items: AsyncIterator[_Item], ask: Callable[[_Item], Awaitable[_Answer]], *, at_once: int = AT_ONCE
) -> AsyncIterator[tuple[_Item, _Answer]]:
    """Yield each of ``items`` with what ``ask`` says of it, in their order; so many are being asked about at a time."""
    asked: deque[tuple[_Item, asyncio.Future[_Answer]]] = deque()
    try:
        async for item in items:
            asked.append((item, asyncio.ensure_future(ask(item))))
            if len(asked) == at_once:
                first, answer = asked[0]
                yield first, await answer
                asked.popleft()
        while asked:
            first, answer = asked[0]
            yield first, await answer
            asked.popleft()
    finally:
        rest = [answer for _, answer in asked]
        for answer in rest:
            answer.cancel()
        await asyncio.gather(*rest, return_exceptions=True)
