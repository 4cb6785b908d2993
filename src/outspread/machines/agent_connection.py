"""Our end of an agent's stream: one command at a time, its output as it arrives, and how it ended.

The agent is the other end (``agent``), where the frames are described. What commands mean is ``agent_shell``.
"""

import asyncio
import contextlib
import socket
from typing import IO

from msgspec import Struct

from outspread.errors import ConnectionLostError
from outspread.machines import agent
from outspread.machines.byte_stream import ByteStream, SocketStream
from outspread.machines.contract import OutputSink, ScriptEnd, WindowSize

#: The longest limit that is sent: a year.
_LONGEST_S = 366 * 24 * 3600.0
#: How much longer than the agent itself needs we wait for its word that a command was killed.
_KILL_PATIENCE_S = agent.KILL_WITHIN_S + 20.0
#: The machine's end may be anything: an agent's own frames are far smaller.
_LARGEST_FRAME_BYTES = 16 * 1024 * 1024
_END_BYTES = 6
#: A piece of input with the headers of its frames, here and under way, fills whole packets of SSH (32 KiB).
_INPUT_BYTES = 256 * 1024 - 10
_ENDS = (agent.END_EXIT, agent.END_SIGNAL, agent.END_TIMED_OUT, agent.END_KILLED)
_LONGEST_REASON_BYTES = 4000


class Command(Struct, frozen=True):
    """What the agent is asked to run. ``argv[0]`` is an absolute path; ``script`` is all of its standard input.

    On a terminal (of size ``window``) ``script`` is what it finds as descriptor 3.
    """

    argv: tuple[str, ...]
    kill_after_s: float
    script: bytes = b""
    separate_errors: bool = False
    window: WindowSize | None = None


class _Running:
    """The command in hand: where its output goes and how its end becomes known."""

    def __init__(self, output: OutputSink, errors: OutputSink, ended: "asyncio.Future[ScriptEnd]") -> None:
        self.output = output
        self.errors = errors
        self.ended = ended
        self.unacknowledged = 0
        self.acknowledged = asyncio.Event()
        self.sink_error: Exception | None = None
        self.is_being_killed = False


class AgentConnection:
    """A stream with an agent at its other end. Belongs to one event loop, from ``open`` to ``close``."""

    def __init__(self, stream: socket.socket | ByteStream, machine: str) -> None:
        """Take over ``stream``; ``machine`` is its name in errors."""
        self._machine = machine
        self._stream = SocketStream(stream) if isinstance(stream, socket.socket) else stream
        self._loop = asyncio.get_running_loop()
        self._incoming = bytearray()
        self._running: _Running | None = None
        self._ready: asyncio.Future[None] = self._loop.create_future()
        self._lost = ""
        self._stream.start(self._receive, self._lose)

    def close(self, why: str = "the connection was closed") -> None:
        """Close the stream, upon which the agent ends its command and itself. Idempotent."""
        self._lose(why)

    def expect_ready(self) -> None:
        """Forget that the agent was ready: a new one is about to say so."""
        self._ready = self._loop.create_future()

    async def ready(self) -> None:
        """Return once the agent serves; raises ConnectionLostError when it never will."""
        if self._lost:
            raise self._lost_error()
        await asyncio.shield(self._ready)

    async def run(
        self,
        command: Command,
        *,
        output: OutputSink,
        errors: OutputSink | None = None,
        stdin: IO[bytes] | None = None,
    ) -> ScriptEnd:
        """Run ``command`` to its end. Cancelled, or when a sink raises, its whole process tree is killed first."""
        if self._lost:
            raise self._lost_error()
        assert self._running is None, "one command at a time"
        running = _Running(output, errors or output, self._loop.create_future())
        self._running = running
        try:
            self._send(agent.RUN, _run_payload(command, streamed=stdin is not None))
            if stdin is not None:
                await self._stream_input(running, stdin)
            end = await asyncio.shield(running.ended)
        except BaseException:  # cancelled, or reading the input failed
            await self._kill(running)
            raise
        finally:
            self._running = None
            if running.ended.done() and not running.ended.cancelled():
                running.ended.exception()  # seen, even if it came after we stopped waiting
        if running.sink_error is not None:
            raise running.sink_error
        return end

    async def _stream_input(self, running: _Running, stdin: IO[bytes]) -> None:
        while piece := stdin.read(_INPUT_BYTES):
            if not await self._input(running, piece):
                return
        self._send(agent.INPUT)

    async def _input(self, running: _Running, piece: bytes) -> bool:
        """Send a piece of input once there is room for it; return whether the command still runs."""
        while running.unacknowledged + len(piece) > agent.WINDOW_BYTES and not running.ended.done():
            running.acknowledged.clear()
            await running.acknowledged.wait()
        if running.ended.done():
            return False
        running.unacknowledged += len(piece)
        self._send(agent.INPUT, piece)
        return True

    # --- while a command runs on a terminal -------------------------------------------------------------------------

    async def type(self, piece: bytes) -> None:
        """Have the command read ``piece`` from its terminal; waits while it does not read. Ignored once it is over."""
        if self._running is not None:
            await self._input(self._running, piece)

    def resize(self, window: WindowSize) -> None:
        """Give the command's terminal another size."""
        if self._running is not None:
            self._send(agent.WINDOW, _window_payload(window))

    def end_command(self) -> None:
        """Have the command killed with all that it started; ``run`` then returns."""
        if self._running is not None:
            self._send_kill(self._running)

    def hold_output(self) -> None:
        """Take nothing more from the stream until ``take_output``: whoever is shown the output is behind. Idempotent.

        Ignored when the command is being killed: its end would not be heard of.
        """
        if not self._lost and self._running is not None and not self._running.is_being_killed:
            self._stream.hold()

    def take_output(self) -> None:
        """Undo ``hold_output``. Idempotent."""
        if not self._lost:
            self._stream.resume()

    def _send_kill(self, running: _Running) -> None:
        running.is_being_killed = True
        self.take_output()
        self._send(agent.KILL)

    async def _kill(self, running: _Running) -> None:
        """Have the command killed and wait for the word that it is; further cancellations do not hurry this."""
        if running.ended.done():
            return
        self._send_kill(running)
        give_up = self._loop.call_later(_KILL_PATIENCE_S, self._lose, "its command could not be killed")
        try:
            while not running.ended.done():
                with contextlib.suppress(asyncio.CancelledError, ConnectionLostError):
                    await asyncio.shield(running.ended)
        finally:
            give_up.cancel()

    def _send(self, kind: bytes, payload: bytes = b"") -> None:
        if not self._lost:  # else whoever waits is told by the future of the command
            self._stream.send(agent.frame(kind, payload))

    def _receive(self, piece: bytes) -> None:
        self._incoming += piece
        while len(self._incoming) >= 5:  # a header
            size_bytes = int.from_bytes(self._incoming[1:5], "big")
            if size_bytes > _LARGEST_FRAME_BYTES:
                self._lose(f"its agent announced a frame of {size_bytes} bytes")
                return
            end = 5 + size_bytes
            if len(self._incoming) < end:
                return
            kind, payload = bytes(self._incoming[:1]), bytes(self._incoming[5:end])
            del self._incoming[:end]
            self._take(kind, payload)
            if self._lost:
                return

    def _take(self, kind: bytes, payload: bytes) -> None:
        if kind == agent.READY:
            if not self._ready.done():
                self._ready.set_result(None)
        elif kind == agent.BROKEN:
            self._lose(f"its agent failed: {payload[:_LONGEST_REASON_BYTES].decode(errors='backslashreplace')}")
        elif self._running is not None:
            self._take_for(self._running, kind, payload)

    def _take_for(self, running: _Running, kind: bytes, payload: bytes) -> None:
        if kind in (agent.OUTPUT, agent.ERRORS):
            self._pass_on(running, running.output if kind == agent.OUTPUT else running.errors, payload)
        elif kind == agent.TAKEN:
            running.unacknowledged -= int.from_bytes(payload, "big")
            running.acknowledged.set()
            if running.unacknowledged < 0:
                self._lose("its agent took more input than it was given")
        elif running.ended.done():
            self._lose("its agent ended a command twice")
        elif kind == agent.END and (len(payload) != _END_BYTES or payload[:1] not in _ENDS):
            self._lose("its agent told the end of a command in a way that makes no sense")
        elif kind == agent.END:
            survivors = int.from_bytes(payload[2:], "big")
            if survivors:
                self._lose(f"{survivors} processes of a script could not be killed")
            else:
                running.ended.set_result(_script_end(payload[:1], payload[1]))
                running.acknowledged.set()
        elif kind == agent.REFUSED:
            text = payload[:_LONGEST_REASON_BYTES].decode(errors="backslashreplace")
            running.ended.set_exception(ConnectionLostError(f"cannot start a command on {self._machine}: {text}"))
            running.acknowledged.set()
        else:
            self._lose(f"its agent sent a frame of unknown kind {kind!r}")

    def _pass_on(self, running: _Running, sink: OutputSink, piece: bytes) -> None:
        if running.sink_error is not None:
            return
        try:
            sink(piece)
        except Exception as error:  # noqa: BLE001 - the sink is the caller's: it is raised there, once the command is killed
            running.sink_error = error
            self._send_kill(running)

    def _lost_error(self) -> ConnectionLostError:
        return ConnectionLostError(f"lost the connection to {self._machine}: {self._lost}")

    def _lose(self, why: str) -> None:
        if self._lost:
            return
        self._lost = why
        if not self._loop.is_closed():
            if not self._ready.done():
                self._ready.set_exception(self._lost_error())
                self._ready.exception()  # seen: nobody needs to have waited for it
            if self._running is not None and not self._running.ended.done():
                self._running.ended.set_exception(self._lost_error())
                self._running.acknowledged.set()
        self._stream.close()


def _run_payload(command: Command, *, streamed: bool) -> bytes:
    limit_ms = max(1, round(min(command.kill_after_s, _LONGEST_S) * 1000))
    flags = (agent.STREAMED_INPUT if streamed else 0) | (agent.SEPARATE_ERRORS if command.separate_errors else 0)
    given = command.script
    if command.window is not None:
        flags |= agent.ON_TERMINAL
        given = _window_payload(command.window) + given
    argv = "\0".join(command.argv).encode("utf-8", "surrogateescape")
    return b"".join((limit_ms.to_bytes(8, "big"), bytes((flags,)), len(argv).to_bytes(4, "big"), argv, given))


def _window_payload(window: WindowSize) -> bytes:
    return b"".join(min(max(number, 0), 0xFFFF).to_bytes(2, "big") for number in (window.rows, window.columns))


def _script_end(how: bytes, value: int) -> ScriptEnd:
    if how == agent.END_EXIT:
        return ScriptEnd(exit_code=value)
    return ScriptEnd(exit_code=None, signal=value, timed_out=how == agent.END_TIMED_OUT)
