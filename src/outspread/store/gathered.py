"""Put the pieces of a stream together to larger ones, as each of them costs a call. Pure."""

from collections.abc import AsyncIterator


async def gathered(pieces: AsyncIterator[bytes], size_bytes: int) -> AsyncIterator[bytes]:
    """Return the same content in pieces of ``size_bytes`` or a little more; the last one may be smaller, none is empty.

    What has come before the stream breaks off is returned before its error is raised.
    """
    waiting: list[bytes] = []
    waiting_bytes = 0
    broken: Exception | None = None
    try:
        async for piece in pieces:
            waiting.append(piece)
            waiting_bytes += len(piece)
            if waiting_bytes >= size_bytes:
                yield b"".join(waiting)
                waiting, waiting_bytes = [], 0
    except Exception as error:  # noqa: BLE001 # raised below
        broken = error
    if waiting_bytes:
        yield b"".join(waiting)
    if broken is not None:
        raise broken
