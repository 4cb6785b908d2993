"""The streams of one program that a server of instances started: a Channel (``ssh.carrier``)."""

import asyncio
import contextlib
import signal

import aiohttp
import asyncssh
import msgspec

from outspread.machines.contract import ScriptEnd
from outspread.machines.lxd.api import Json
from outspread.machines.lxd.end_frame import EndFrame

Streams = dict[str, aiohttp.ClientWebSocketResponse]

#: What may wait to be sent before whoever sends is held back.
_PENDING_BYTES = 1024 * 1024
_PIECE_BYTES = 256 * 1024
#: How long what is to be sent may take when the channel is to be closed.
_LAST_WORDS_S = 1.0
#: A program of which the server says that it is no more has told how it ended, unless this long nothing comes, or more comes
#: than can be on its way.
_SILENCE_S = 1.0
_ON_ITS_WAY_BYTES = 8 * 1024 * 1024
_DATA = (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY)


class ExecChannel:
    """Hands the streams to an asyncssh session as asyncssh would: ``0`` to ``2``, or a terminal as ``0``, and ``control``."""

    def __init__(self, streams: Streams, frame: EndFrame, session: asyncssh.SSHClientSession[bytes]) -> None:
        self._streams = streams
        self._frame = frame
        self._session = session
        self._is_terminal = "1" not in streams
        self._outgoing = bytearray()
        self._news = asyncio.Event()
        self._may_read = asyncio.Event()
        self._may_read.set()
        self._read_bytes = 0
        self._closed = asyncio.Event()
        self._is_eof_wanted = self._is_writing_held = self._is_deaf = False
        session.connection_made(self)  # type: ignore[arg-type] # what the sessions here use of one
        self.carrying = asyncio.get_running_loop().create_task(self._carry())

    # --- what sessions ask for --------------------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """Send, or keep until it can be sent."""
        if self._is_deaf:
            return
        self._outgoing += data
        self._news.set()
        if len(self._outgoing) > _PENDING_BYTES and not self._is_writing_held:
            self._is_writing_held = True
            self._session.pause_writing()

    def write_eof(self) -> None:
        """End the program's input, after what is still to be sent."""
        self._is_eof_wanted = True
        self._news.set()

    def is_closing(self) -> bool:
        return self._closed.is_set()

    def pause_reading(self) -> None:
        """Take nothing more, but for a little that is on its way."""
        self._may_read.clear()

    def resume_reading(self) -> None:
        self._may_read.set()

    def change_terminal_size(self, width: int, height: int) -> None:
        """Tell the program's terminal."""
        order = {"command": "window-resize", "args": {"width": str(width), "height": str(height)}}
        self._resizing = asyncio.ensure_future(self._control(order))

    def get_extra_info(self, _name: str) -> None:
        """Return None: there is nothing to tell."""
        return

    def close(self) -> None:
        """Send what is to be sent, and let go. Idempotent."""
        self._closed.set()
        self._may_read.set()
        self._news.set()

    # --- the streams ------------------------------------------------------------------------------------------------

    async def _carry(self) -> None:
        error: Exception | None = None
        sending = asyncio.ensure_future(self._send())
        reading = asyncio.ensure_future(self._read_all())
        closing = self._until_closed(sending, reading)
        ends = [reading, asyncio.ensure_future(self._watch()), asyncio.ensure_future(closing)]
        try:
            done, _ = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            for part in done:
                part.result()
        except* (aiohttp.ClientError, OSError) as problems:
            error = ConnectionError(str(problems.exceptions[0]))
        finally:
            self.close()
            for part in (sending, *ends):
                part.cancel()
            await asyncio.wait((sending, *ends))
            await self._hang_up()
            self._session.connection_lost(error)

    async def _hang_up(self) -> None:
        for stream in self._streams.values():
            with contextlib.suppress(aiohttp.ClientError, OSError, TimeoutError):
                await stream.close()

    async def _read_all(self) -> None:
        """Read until nobody has the program's streams any more."""
        async with asyncio.TaskGroup() as group:
            for name in ("0",) if self._is_terminal else ("1", "2"):
                group.create_task(self._read(name))
        if self._frame.end is None:
            raise ConnectionResetError("a program ended without a word")
        self._session.eof_received()

    async def _read(self, name: str) -> None:
        stream = self._streams[name]
        while True:
            await self._may_read.wait()
            message = await _received(stream)
            if message is None or message.type is aiohttp.WSMsgType.TEXT:  # an empty text is how the server says that this is all
                break
            self._read_bytes += len(message.data)
            if name == "2":
                self._session.data_received(message.data, asyncssh.EXTENDED_DATA_STDERR)
            else:
                self._take(message.data)
        if name != "2" and (rest := self._frame.rest()):
            self._session.data_received(rest, None)

    def _take(self, data: bytes) -> None:
        is_told = self._frame.end is not None
        data = self._frame.feed(data)
        if data and not (is_told and self._is_terminal):  # which shows our own answer
            self._session.data_received(data, None)
        if self._frame.end is not None and not is_told:
            if self._is_terminal:
                self.write(self._frame.seen())
            _tell(self._session, self._frame.end)

    async def _watch(self) -> None:
        """Raise ConnectionResetError when what would have told how the program ended is no more, and has not."""
        while await _received(self._streams["control"]):
            continue
        at_end = self._read_bytes
        while self._frame.end is None:
            before = self._read_bytes
            await asyncio.sleep(_SILENCE_S)
            await self._may_read.wait()
            if self._frame.end is None and (before == self._read_bytes or before - at_end > _ON_ITS_WAY_BYTES):
                raise ConnectionResetError("a program ended without a word")
        await asyncio.get_running_loop().create_future()  # the session or the streams say when this is over

    async def _send(self) -> None:
        """Send until the channel is to be closed, or the program takes no more, which is no failure of the channel."""
        with contextlib.suppress(aiohttp.ClientError, OSError):
            await self._send_all(self._streams["0"])
        self._is_deaf = True
        self._let_write()

    async def _send_all(self, stream: aiohttp.ClientWebSocketResponse) -> None:
        while True:
            while self._outgoing:
                piece = bytes(self._outgoing[:_PIECE_BYTES])
                del self._outgoing[:_PIECE_BYTES]
                await stream.send_bytes(piece)
            self._let_write()
            if self._closed.is_set():
                return
            if self._is_eof_wanted:
                self._is_eof_wanted = False
                await stream.send_str("")
            self._news.clear()
            if not self._outgoing:
                await self._news.wait()

    def _let_write(self) -> None:
        if self._is_writing_held:
            self._is_writing_held = False
            self._session.resume_writing()

    async def _until_closed(self, sending: "asyncio.Future[None]", reading: "asyncio.Future[None]") -> None:
        """Return when the channel is to be closed and may be."""
        await self._closed.wait()
        if self._frame.end is None:
            await asyncio.wait([sending], timeout=_LAST_WORDS_S)
        elif self._is_terminal:  # LXD 5.0 never ends an operation with a terminal whose last output nobody takes
            await asyncio.wait([reading], timeout=_LAST_WORDS_S)

    async def _control(self, order: Json) -> None:
        with contextlib.suppress(aiohttp.ClientError, OSError):  # it is over, then
            await self._streams["control"].send_bytes(msgspec.json.encode(order))


async def _received(stream: aiohttp.ClientWebSocketResponse) -> aiohttp.WSMessage | None:
    """Return what comes next, None at the end, which a stream that fails is at too: what matters is whether the frame came.

    A ping that cannot be answered is no failure: what came after it may wait to be read, though the server has hung up.
    """
    try:
        while (message := await stream.receive()).type in (aiohttp.WSMsgType.PING, aiohttp.WSMsgType.PONG):
            if message.type is aiohttp.WSMsgType.PING:
                with contextlib.suppress(aiohttp.ClientError, OSError):
                    await stream.pong(message.data)
    except (aiohttp.ClientError, OSError):
        return None
    return message if message.type in _DATA else None


def _tell(session: asyncssh.SSHClientSession[bytes], end: ScriptEnd) -> None:
    if end.exit_code is not None:
        session.exit_status_received(end.exit_code)
    elif end.signal is not None:
        session.exit_signal_received(_name(end.signal), False, "", "")


def _name(number: int) -> str:
    """Return what SSH calls a signal; one that has no name there is called by its number, as sshd does."""
    try:
        return signal.Signals(number).name.removeprefix("SIG")
    except ValueError:
        return str(number)
