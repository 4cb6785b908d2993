"""The terminal that this program was started on, lent to shells on machines: raw while lent, and restored whatever happens."""

import asyncio
import contextlib
import os
import signal
import termios
import tty
from typing import Any

from outspread.errors import UserError
from outspread.machines.contract import WindowSize

_READ_BYTES = 64 * 1024
#: What a shell that was killed may have left: marks around what is pasted, a hidden cursor, a colour.
_PLAIN = b"\x1b[?2004l\x1b[?25h\x1b[m"


class LocalTerminal:
    """Implements ``machines.contract.Terminal`` on the terminal of ``descriptor``, which is raw from the start.

    It is opened anew: made non-blocking as it was, it would be so for whoever else has it open, and stay so.
    """

    def __init__(self, descriptor: int, kind: str) -> None:
        """Raises UserError when there is no terminal on ``descriptor``."""
        self.kind = kind
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Event()
        self._has_resized = False
        try:
            self._saved: list[Any] = termios.tcgetattr(descriptor)
            self._terminal = os.open(os.ttyname(descriptor), os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
        except (termios.error, OSError) as error:
            raise UserError("cannot open a shell: standard input is no terminal") from error
        self._is_raw = True
        tty.setraw(self._terminal, termios.TCSANOW)  # what was typed ahead is not lost
        self._loop.add_signal_handler(signal.SIGWINCH, self._note_resize)

    @property
    def size(self) -> WindowSize:
        columns, rows = os.get_terminal_size(self._terminal)
        return WindowSize(rows, columns)

    async def read(self) -> bytes | WindowSize:
        while True:
            if self._has_resized:
                self._has_resized = False
                return self.size
            try:
                return os.read(self._terminal, _READ_BYTES)
            except BlockingIOError:
                self._news.clear()
            self._loop.add_reader(self._terminal, self._news.set)
            try:
                await self._news.wait()
            finally:
                self._loop.remove_reader(self._terminal)

    async def write(self, piece: bytes) -> None:
        unwritten = memoryview(piece)
        while unwritten:
            try:
                unwritten = unwritten[os.write(self._terminal, unwritten) :]
            except BlockingIOError:
                await self._room()

    def restore(self) -> None:
        """Leave the terminal as it was found, also while a shell still has it. Idempotent."""
        if not self._is_raw:
            return
        self._is_raw = False
        with contextlib.suppress(OSError, termios.error):  # it may be gone, and then there is nothing to restore
            if self.kind != "dumb":
                with contextlib.suppress(BlockingIOError):
                    os.write(self._terminal, _PLAIN)
            termios.tcsetattr(self._terminal, termios.TCSANOW, self._saved)

    def close(self) -> None:
        """Restore the terminal and let go of it; nobody uses this any more."""
        self.restore()
        self._loop.remove_signal_handler(signal.SIGWINCH)
        os.close(self._terminal)

    def _note_resize(self) -> None:
        self._has_resized = True
        self._news.set()

    async def _room(self) -> None:
        room = asyncio.Event()
        self._loop.add_writer(self._terminal, room.set)
        try:
            await room.wait()
        finally:
            self._loop.remove_writer(self._terminal)
