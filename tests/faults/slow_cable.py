"""A cable as long as the earth, with a bad contact: what TCP makes of packets that are late or lost, in any kernel.

A lost packet comes again after TCP has waited for it, and what was sent after it waits, too.
"""

import asyncio
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_PIECE_BYTES = 65536
#: How long TCP waits before it sends something again.
_AGAIN_S = 0.4
_IN_FLIGHT = 10_000


@contextmanager
def slow_cable(port: int, *, delay_s: float, loss: float, seed: int) -> Iterator[str]:
    """Give the address of a port of this computer behind which is ``port``: ``delay_s`` away, one way."""
    loop = asyncio.new_event_loop()
    cable = _Cable(port, delay_s, loss, random.Random(seed))
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield asyncio.run_coroutine_threadsafe(cable.open(), loop).result(10)
    finally:
        asyncio.run_coroutine_threadsafe(cable.close(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


class _Cable:
    def __init__(self, port: int, delay_s: float, loss: float, dice: random.Random) -> None:
        self._port = port
        self._delay_s = delay_s
        self._loss = loss
        self._dice = dice
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self) -> str:
        self._server = await asyncio.start_server(self._connect, "127.0.0.1", 0)
        return f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def close(self) -> None:
        self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(self._lag_s())
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._port)
        except OSError:
            writer.close()
            return
        for source, sink in ((reader, far_writer), (far_reader, writer)):
            task = asyncio.ensure_future(self._carry(source, sink))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _carry(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        flying: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_IN_FLIGHT)
        loop = asyncio.get_running_loop()

        async def arrive() -> None:
            while True:
                due, piece = await flying.get()
                await asyncio.sleep(due - loop.time())
                if not piece:
                    return
                sink.write(piece)
                await sink.drain()

        arriving = asyncio.ensure_future(arrive())
        due = 0.0
        try:
            while True:
                piece = await source.read(_PIECE_BYTES)
                due = max(due, loop.time() + self._lag_s())
                await flying.put((due, piece))
                if not piece:
                    break
            await arriving
        except OSError:
            pass  # one end is gone: so is the other
        finally:
            arriving.cancel()
            sink.close()

    def _lag_s(self) -> float:
        lag_s = self._delay_s
        while self._dice.random() < self._loss:
            lag_s += _AGAIN_S
        return lag_s
