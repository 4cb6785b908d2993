"""Read the next piece in a thread while the one before is being used."""

import asyncio
from collections.abc import AsyncIterator, Callable


async def read_ahead(read: Callable[[], bytes]) -> AsyncIterator[bytes]:
    """Return what ``read`` returns, up to the first empty piece. It is called in threads, never twice at a time.

    Who stops early has to see to it that a call that goes on does no harm.
    """
    reading = asyncio.ensure_future(asyncio.to_thread(read))
    try:
        while piece := await reading:
            reading = asyncio.ensure_future(asyncio.to_thread(read))
            yield piece
    finally:
        if reading.done() and not reading.cancelled():
            reading.exception()  # nobody will ask for what could not be read any more
        reading.cancel()
