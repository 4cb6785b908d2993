"""Join a person's terminal to a command that runs on a terminal of the machine."""

import asyncio
from collections import deque

from outspread.machines.agent_connection import Command
from outspread.machines.command_runner import CommandRunner
from outspread.machines.contract import ScriptEnd, Terminal, WindowSize

#: How many pieces of output may wait for the terminal before no more are taken from the machine.
_WAITING_LIMIT_PIECES = 16


async def run_on_terminal(connection: CommandRunner, command: Command, terminal: Terminal) -> ScriptEnd:
    """Run ``command``, which has a ``window``, to its end, all its output shown. A terminal that is gone ends it."""
    screen = _Screen(connection, terminal)
    helpers = [asyncio.create_task(screen.show()), asyncio.create_task(_pass_keys(connection, terminal))]
    try:
        end = await connection.run(command, output=screen.add)
        await screen.shown()
    finally:
        connection.take_output()
        for helper in helpers:
            helper.cancel()
        await asyncio.wait(helpers)
    for helper in helpers:
        if not helper.cancelled():
            helper.result()  # raises what is wrong with us, not with the terminal
    return end


async def _pass_keys(connection: CommandRunner, terminal: Terminal) -> None:
    try:
        while news := await terminal.read():
            if isinstance(news, WindowSize):
                connection.resize(news)
            else:
                await connection.type(news)
    except OSError:
        pass  # the same as its end: nobody is there any more
    connection.end_command()


class _Screen:
    """Shows output at the pace of the terminal; the machine waits for a slow one."""

    def __init__(self, connection: CommandRunner, terminal: Terminal) -> None:
        self._connection = connection
        self._terminal = terminal
        self._waiting: deque[bytes] = deque()
        self._news = asyncio.Event()
        self._nothing_left = asyncio.Event()
        self._nothing_left.set()
        self._is_gone = False

    def add(self, piece: bytes) -> None:
        if self._is_gone:
            return
        self._waiting.append(piece)
        self._nothing_left.clear()
        self._news.set()
        if len(self._waiting) >= _WAITING_LIMIT_PIECES:
            self._connection.hold_output()

    async def show(self) -> None:
        """Write what is added, until cancelled or until the terminal is gone."""
        try:
            while True:
                await self._news.wait()
                self._news.clear()
                while self._waiting:
                    await self._terminal.write(self._waiting[0])
                    self._waiting.popleft()
                    self._connection.take_output()
                self._nothing_left.set()
        except OSError:
            self._connection.end_command()
        finally:
            self._is_gone = True
            self._waiting.clear()
            self._nothing_left.set()
            self._connection.take_output()

    async def shown(self) -> None:
        """Return once all that was added is written, or can't be."""
        await self._nothing_left.wait()
