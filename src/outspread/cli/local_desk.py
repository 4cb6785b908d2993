"""Lend the terminal of this program to the sessions' shells, and keep everything else off it meanwhile.

A session says that it has the terminal by an event; only when every view has seen that, and output is held, is it lent.
"""

import asyncio
import os
from contextlib import AbstractAsyncContextManager

from outspread.cli.held_output import HeldOutput
from outspread.cli.local_terminal import LocalTerminal
from outspread.controller.values import Report, ShellClosed, ShellOpened
from outspread.machines.contract import Terminal

_STANDARD_INPUT = 0


class LocalDesk:
    """Implements ``worker.terminal_desk.TerminalDesk``; ``showing`` and ``shown`` are told of each event by who shows them."""

    def __init__(self, out: HeldOutput) -> None:
        self._out = out
        self._turn = asyncio.Lock()
        self._is_free = asyncio.Event()
        self._terminal: LocalTerminal | None = None
        self._is_left = False

    def turn(self) -> AbstractAsyncContextManager[None]:
        return self._turn

    async def borrow(self) -> Terminal:
        await self._is_free.wait()
        self._terminal = LocalTerminal(_STANDARD_INPUT, os.environ.get("TERM") or "dumb")
        return self._terminal

    def give_back(self) -> None:
        terminal, self._terminal = self._terminal, None
        self._is_free.clear()
        if terminal is not None:
            terminal.close()

    def showing(self, event: Report) -> None:
        """Let views print again before they are fed that a shell is over."""
        if isinstance(event, ShellClosed):
            self._out.let_go()

    def shown(self, event: Report) -> None:
        """Hold output once views have been fed that a shell has its turn, and lend the terminal."""
        if isinstance(event, ShellOpened) and not self._is_left:
            self._out.hold()
            self._is_free.set()

    def leave(self) -> None:
        """Have the terminal back at once, whoever uses it: the run is being ended. Idempotent."""
        self._is_left = True
        if self._terminal is not None:
            self._terminal.restore()
        self._out.let_go()
