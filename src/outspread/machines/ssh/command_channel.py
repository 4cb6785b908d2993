"""The SSH channel of one command: its input, its output, its terminal, and how it ended."""

import asyncio
import signal
from typing import IO, Any

import asyncssh
from asyncssh.session import DataType

from outspread.errors import ConnectionLostError
from outspread.machines import agent
from outspread.machines.contract import OutputSink, ScriptEnd, WindowSize
from outspread.machines.ssh.carrier import Channel
from outspread.machines.ssh.reason import reason


class CommandChannel(asyncssh.SSHClientSession[bytes]):
    """Made by opening a session; ``ended`` becomes its end, or why that will never be known."""

    def __init__(self, output: OutputSink, errors: OutputSink) -> None:
        self._loop = asyncio.get_running_loop()
        self._sinks = {None: output, asyncssh.EXTENDED_DATA_STDERR: errors}
        self._end: ScriptEnd | None = None
        self._grace_bytes = agent.GRACE_BYTES
        self._is_at_end = False
        self._may_write = asyncio.Event()
        self._may_write.set()
        self._channel: Channel | None = None
        self._feeding: asyncio.Task[None] | None = None
        self.is_to_end = asyncio.Event()
        self.ended: asyncio.Future[ScriptEnd] = self._loop.create_future()

    async def see_through(self) -> ScriptEnd | None:
        """Return how it ended, or None when it is to be ended; raises what reading the input failed with."""
        to_end = asyncio.ensure_future(self.is_to_end.wait())
        waiting: set[asyncio.Future[Any]] = {self.ended, to_end}
        try:
            if self._feeding is not None:
                await asyncio.wait({self._feeding, *waiting}, return_when=asyncio.FIRST_COMPLETED)
                if self._feeding.done():
                    self._feeding.result()
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            to_end.cancel()
            if self._feeding is not None:
                self._feeding.cancel()
        return self.ended.result() if self.ended.done() else None

    def feed(self, first: bytes, more: IO[bytes] | None) -> None:
        """Begin to send ``first``, then all of ``more``, then the end of input."""
        self._feeding = self._loop.create_task(self._feed(first, more))

    async def _feed(self, first: bytes, more: IO[bytes] | None) -> None:
        piece = first
        while piece:
            await self.write(piece)
            piece = more.read(agent.PIECE_BYTES) if more is not None else b""
        if self._channel is not None and not self._channel.is_closing():
            self._channel.write_eof()

    async def write(self, piece: bytes) -> None:
        """Send, and wait until there is room for more; ignored when nobody wants it any more."""
        if self._channel is not None and not self._channel.is_closing():
            self._channel.write(piece)
            await self._may_write.wait()

    def resize(self, window: WindowSize) -> None:
        """Give the terminal another size."""
        if self._channel is not None and not self._channel.is_closing():
            self._channel.change_terminal_size(window.columns, window.rows)

    def hold(self) -> None:
        """Take no more output, unless it is about to end."""
        if self._channel is not None and not self.is_to_end.is_set():
            self._channel.pause_reading()

    def take(self) -> None:
        """Take it again."""
        if self._channel is not None:
            self._channel.resume_reading()

    def stop_listening(self) -> None:
        """Wait no longer for output: what could write is dead."""
        if self._end is not None:
            self._finish()

    def _finish(self) -> None:
        assert self._end is not None
        if not self.ended.done():
            self.ended.set_result(self._end)
        if self._channel is not None:
            self._channel.close()

    def _fail(self, error: Exception) -> None:
        if not self.ended.done():
            self.ended.set_exception(error)
            self.ended.exception()  # seen: it may be that nobody waits any more

    # --- called by asyncssh -----------------------------------------------------------------------------------------

    def connection_made(self, chan: asyncssh.SSHClientChannel[bytes]) -> None:
        """Know the channel."""
        self._channel = chan

    def data_received(self, data: bytes, datatype: DataType) -> None:
        """Pass on output."""
        if self.ended.done():
            return
        try:
            self._sinks[datatype](data)
        except Exception as error:  # noqa: BLE001 - the sink is the caller's: it is raised there, and the command killed
            self._fail(error)
        if self._end is not None:
            self._grace_bytes -= len(data)
            if self._grace_bytes <= 0:
                self._finish()

    def exit_status_received(self, status: int) -> None:
        """Know the exit code."""
        self._over(ScriptEnd(exit_code=status))

    def exit_signal_received(self, signal: str, core_dumped: bool, msg: str, lang: str) -> None:
        """Know the signal."""
        self._over(ScriptEnd(exit_code=None, signal=_number(signal)))

    def _over(self, end: ScriptEnd) -> None:
        self._end = end
        if self._is_at_end:
            self._finish()
        else:
            self._loop.call_later(agent.GRACE_S, self._finish)

    def eof_received(self) -> bool:
        """Know that there is no more output."""
        self._is_at_end = True
        if self._end is not None:
            self._finish()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever waits."""
        self._may_write.set()
        if self._end is not None:
            self._finish()
        else:
            self._fail(ConnectionLostError(reason(exc)))

    def pause_writing(self) -> None:
        """Hold the input back."""
        self._may_write.clear()

    def resume_writing(self) -> None:
        """Let it flow again."""
        self._may_write.set()


def _number(name: str) -> int:
    try:
        return int(signal.Signals[f"SIG{name}"])
    except KeyError:  # one that SSH has no word for: sshd sends its own, such as SIG34@openssh.com
        digits = "".join(character for character in name.partition("@")[0] if character.isdigit())
        return int(digits or signal.SIGKILL)
