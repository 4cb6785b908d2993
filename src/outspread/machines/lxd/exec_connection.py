"""Programs in an instance, started by its server: a Connection (``ssh.carrier``) that needs no network and no sshd in there."""

import asyncio
import contextlib
import math
import socket
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, Self

import aiohttp
import asyncssh
import msgspec
from msgspec import Struct, structs

from outspread.errors import ConnectionLostError, InfrastructureError
from outspread.machines import agent
from outspread.machines.lxd.api import Json, LxdApi, LxdError
from outspread.machines.lxd.servers import Server
from outspread.machines.ssh.command_channel import CommandChannel

#: What may wait to be sent before whoever sends is held back.
_PENDING_BYTES = 1024 * 1024
_PIECE_BYTES = 256 * 1024
#: How long a server may take to say how a program on a terminal ended that it has ended.
_SAID_WITHIN_S = 2.0


class InstanceTarget(Struct, frozen=True):
    """Implements ``ssh.carrier.Target`` for an instance of a server."""

    server: Server
    name: str
    username: str = "root"
    host_key: str = ""
    patience_s: float = 0.0
    connect_within_s: float = 10.0
    remake_within_s: float = 30.0

    async def log_in(self, dialled: socket.socket | None = None) -> "ExecConnection":
        """Return a connection to the instance, if it runs. Raises ConnectionLostError when not."""
        api = LxdApi(self.server)
        try:
            status = (await api.get(f"/1.0/instances/{self.name}/state"))["status"]
        except BaseException as error:
            await api.close()
            if isinstance(error, LxdError):
                raise ConnectionLostError(f"cannot connect to {self.name}: {error.message}") from error
            raise
        if status != "Running":
            await api.close()
            raise ConnectionLostError(f"cannot connect to {self.name}: it is {str(status).lower()}")
        return ExecConnection(api, self.name)

    def pinned_to(self, connection: object) -> Self:
        """Return this: the server answers for who is who."""
        return self

    def trying_for(self, patience_s: float) -> Self:
        """Return the target with another patience."""
        return structs.replace(self, patience_s=patience_s)


class ExecConnection:
    """Implements ``ssh.carrier.Connection``: every session is an exec operation of the server."""

    def __init__(self, api: LxdApi, instance: str) -> None:
        """Take over ``api``."""
        self._api = api
        self._instance = instance
        self._channels: set[ExecChannel] = set()
        self._closing: asyncio.Task[None] | None = None

    async def create_session(
        self,
        session_factory: Callable[[], Any],
        command: str,
        *,
        encoding: None,
        window: int,
        term_type: str | None = None,
        term_size: tuple[int, int] = (0, 0),
    ) -> tuple["ExecChannel", Any]:
        """Start ``command``."""
        columns, rows = term_size
        body: Json = {
            "command": ["/bin/sh", "-c", command],
            "wait-for-websocket": True,
            "interactive": term_type is not None,
            "user": 0,
            "cwd": "/root",
        }
        if term_type is not None:
            body |= {"width": columns, "height": rows, "environment": {"TERM": term_type}}
        try:
            operation = await self._api.begin("POST", f"/1.0/instances/{self._instance}/exec", body)
            streams = {}
            for name, secret in operation["metadata"]["fds"].items():
                streams[name] = await self._api.web_socket(operation, secret)
        except InfrastructureError as error:
            raise ConnectionError(error.message) from error
        session = session_factory()
        channel = ExecChannel(self._api, operation, streams, session)
        self._channels.add(channel)
        channel.carrying.add_done_callback(lambda _: self._channels.discard(channel))
        return channel, session

    async def run(self, command: str, *, input: bytes, encoding: None) -> SimpleNamespace:  # noqa: A002 - as asyncssh has it
        """Run ``command`` to its end."""
        channel, session = await self.create_session(lambda: CommandChannel(_ignore, _ignore), command, encoding=None, window=0)
        try:
            session.feed(input, None)
            end = await session.see_through()
        except ConnectionLostError as error:
            raise ConnectionError(error.message) from error
        finally:
            channel.close()
        return SimpleNamespace(exit_status=end.exit_code)

    def get_extra_info(self, _name: str) -> None:
        """Return None: there is nothing to tell."""
        return

    def abort(self) -> None:
        """End everything, without waiting."""
        self.close()

    def close(self) -> None:
        """Begin to end everything. Idempotent."""
        if self._closing is None:
            self._closing = asyncio.get_running_loop().create_task(self._close())

    async def wait_closed(self) -> None:
        """Return when everything has ended."""
        if self._closing is not None:
            await asyncio.shield(self._closing)

    async def _close(self) -> None:
        for channel in set(self._channels):
            channel.close()
        if carrying := [channel.carrying for channel in self._channels]:
            await asyncio.wait(carrying, timeout=1)
        await self._api.close()


class ExecChannel:
    """Implements ``ssh.carrier.Channel``: the streams of one exec, handed to an asyncssh session as asyncssh would."""

    def __init__(
        self,
        api: LxdApi,
        operation: Json,
        streams: dict[str, aiohttp.ClientWebSocketResponse],
        session: asyncssh.SSHClientSession[bytes],
    ) -> None:
        self._api = api
        self._operation = operation
        self._streams = streams
        self._session = session
        self._outgoing = bytearray()
        self._news = asyncio.Event()
        self._may_read = asyncio.Event()
        self._may_read.set()
        self._is_eof_wanted = self._is_closing = self._is_writing_held = self._is_hung_up = False
        session.connection_made(self)  # type: ignore[arg-type] # what the sessions here use of one
        self.carrying = asyncio.get_running_loop().create_task(self._carry())

    # --- what sessions ask for --------------------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """Send, or keep until it can be sent."""
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
        return self._is_closing

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
        self._is_closing = True
        self._may_read.set()
        self._news.set()

    # --- the streams ------------------------------------------------------------------------------------------------

    async def _carry(self) -> None:
        error: Exception | None = None
        sending = asyncio.ensure_future(self._send())
        reading = asyncio.ensure_future(self._read_all())
        ending = asyncio.ensure_future(self._tell_end(reading))
        working: set[asyncio.Future[None]] = {sending, ending, reading}
        try:
            while not ending.done() and (self._is_hung_up or not sending.done()):
                done, _ = await asyncio.wait([part for part in working if not part.done()], return_when=asyncio.FIRST_COMPLETED)
                for part in done:
                    part.result()
        except* (InfrastructureError, aiohttp.ClientError, OSError) as problems:
            error = ConnectionError(str(problems.exceptions[0]))
        finally:
            self._is_closing = True
            for part in working:
                part.cancel()
            await asyncio.wait(working)
            await self._hang_up()
            self._session.connection_lost(error)

    async def _tell_end(self, reading: "asyncio.Future[None]") -> None:
        """Tell how the program ended, which the server knows at once, but says only when nobody has its streams any more."""
        if "control" in self._streams:
            while (await self._streams["control"].receive()).type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
                continue
            await asyncio.wait([reading], timeout=agent.GRACE_S)  # what it has left behind may keep them
            await self._hang_up()
        await reading
        self._session.eof_received()
        self._session.exit_status_received(await self._exit_code())

    async def _exit_code(self) -> int:
        """Return how the program ended; 0 for one on a terminal that something else still has, as the server does not say then."""
        is_terminal = "1" not in self._streams
        try:
            operation = await self._api.finished(self._operation, within_s=_SAID_WITHIN_S if is_terminal else math.inf)
        except LxdError:
            raise
        except InfrastructureError:
            return 0
        code = operation["metadata"].get("return")
        return code if isinstance(code, int) else 255

    async def _hang_up(self) -> None:
        self._is_hung_up = True
        for stream in self._streams.values():
            with contextlib.suppress(aiohttp.ClientError, OSError, TimeoutError):
                await stream.close()

    async def _read_all(self) -> None:
        async with asyncio.TaskGroup() as group:
            for name in ("0", "1", "2"):
                if self._reads(name):
                    group.create_task(self._read(name))

    def _reads(self, name: str) -> bool:
        return name in self._streams and (name != "0" or "1" not in self._streams)

    async def _read(self, name: str) -> None:
        kind = asyncssh.EXTENDED_DATA_STDERR if name == "2" else None
        stream = self._streams[name]
        while True:
            await self._may_read.wait()
            message = await stream.receive()
            if message.type is not aiohttp.WSMsgType.BINARY:  # an empty text is how the server says that this is all
                break
            self._session.data_received(message.data, kind)
        if name == "0":  # of a terminal, which the server keeps until we let go of it
            await self._hang_up()

    async def _send(self) -> None:
        """Send until nothing more may follow; returns when the channel is to be closed, and not after the end of input."""
        stream = self._streams["0"]
        while True:
            while self._outgoing:
                piece = bytes(self._outgoing[:_PIECE_BYTES])
                del self._outgoing[:_PIECE_BYTES]
                if not self._is_hung_up:
                    await stream.send_bytes(piece)
            if self._is_writing_held:
                self._is_writing_held = False
                self._session.resume_writing()
            if self._is_closing:
                return
            if self._is_eof_wanted:
                self._is_eof_wanted = False
                await stream.send_str("")
            self._news.clear()
            if not self._outgoing:
                await self._news.wait()

    async def _control(self, order: Json) -> None:
        with contextlib.suppress(aiohttp.ClientError, OSError):  # it is over, then
            await self._streams["control"].send_bytes(msgspec.json.encode(order))


def _ignore(_: bytes) -> None:
    """Take output that nobody wants."""
