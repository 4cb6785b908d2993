"""Wait until a machine behind QEMU's network greets as an SSH server does.

QEMU accepts a connection whether or not anybody in the machine will. While the machine cannot hear, QEMU's network repeats the
question seconds later only, and goes on to repeat it when the connection is long closed: a machine that boots slowly would
be met by all the connections that were ever tried. So another connection is tried when the last was refused, when the machine
has said something by itself meanwhile (its network has just come up), and seldom otherwise.
"""

import asyncio
import socket
from collections.abc import Callable

_GREETING = b"SSH-"
_LOOK_S = 0.05
_SHORTEST_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 3.0


async def greeted(port: int, within_s: float, has_spoken: Callable[[], bool]) -> socket.socket | None:
    """Return a connection on which the greeting waits to be read; None when there is none in time.

    ``has_spoken`` tells whether the machine has sent anything by itself since it was last asked.
    """
    loop = asyncio.get_running_loop()
    began = last = loop.time()
    trying = {asyncio.create_task(_greeting(port))}
    spoke = False
    try:
        while (now := loop.time()) < began + within_s:
            spoke = has_spoken() or spoke
            pause_s = _SHORTEST_PAUSE_S if spoke or not trying else _LONGEST_PAUSE_S
            if now - last >= pause_s:
                trying.add(asyncio.create_task(_greeting(port)))
                last, spoke = now, False
            looking = asyncio.create_task(asyncio.sleep(_LOOK_S))
            await asyncio.wait({*trying, looking}, return_when=asyncio.FIRST_COMPLETED)
            looking.cancel()
            for task in [task for task in trying if task.done()]:
                trying.discard(task)
                if (connected := task.result()) is not None:
                    return connected
        return None
    finally:
        for task in trying:
            task.cancel()
        if trying:
            await asyncio.wait(trying)
        for connected in [task.result() for task in trying if not task.cancelled()]:
            if connected is not None:
                connected.close()


async def _greeting(port: int) -> socket.socket | None:
    """Return a connection that was greeted on; None when it was refused or closed."""
    loop = asyncio.get_running_loop()
    connected = socket.socket()
    connected.setblocking(False)
    try:
        await loop.sock_connect(connected, ("127.0.0.1", port))
        await _readable(connected)
        if connected.recv(len(_GREETING), socket.MSG_PEEK) == _GREETING:
            return connected
    except OSError:  # nobody is there, or not any more
        pass
    except BaseException:
        connected.close()
        raise
    connected.close()
    return None


async def _readable(connected: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    loop.add_reader(connected, readable.set)
    try:
        await readable.wait()
    finally:
        loop.remove_reader(connected)
