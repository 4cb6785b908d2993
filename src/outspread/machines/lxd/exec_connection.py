"""Programs in an instance, started by its server: a Connection (``ssh.carrier``) that needs no network and no sshd in there."""

import asyncio
import socket
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, Self

from msgspec import Struct, structs

from outspread.errors import ConnectionLostError, InfrastructureError
from outspread.machines.lxd.api import Json, LxdApi, LxdError
from outspread.machines.lxd.boot_wait import BOOT_WAIT
from outspread.machines.lxd.end_frame import EndFrame
from outspread.machines.lxd.exec_channel import ExecChannel
from outspread.machines.lxd.servers import Server
from outspread.machines.ssh.command_channel import CommandChannel


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
        """Return a connection to the instance once it has booted. Raises ConnectionLostError when it does not run."""
        connection = await self.reach()
        try:
            async with asyncio.timeout(self.connect_within_s):
                await connection.run("/bin/sh", input=BOOT_WAIT, encoding=None)
        except BaseException as error:
            connection.close()
            await connection.wait_closed()
            if isinstance(error, OSError):  # TimeoutError is one
                why = str(error) or "it is still booting"
                raise ConnectionLostError(f"cannot connect to {self.name}: {why}") from error
            raise
        return connection

    async def reach(self) -> "ExecConnection":
        """Return a connection to the instance as soon as it runs; errors as of ``log_in``."""
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
        frame = EndFrame()
        body: Json = {
            "command": frame.command(command),
            "wait-for-websocket": True,
            "interactive": term_type is not None,
            "user": 0,
            "cwd": "/root",
        }
        if term_type is not None:
            body |= {"width": columns, "height": rows, "environment": {"TERM": term_type}}
        try:
            operation = await self._api.begin("POST", f"/1.0/instances/{self._instance}/exec", body)
            secrets = operation["metadata"]["fds"]
            # first the one without which a program starts, and may have ended already
            streams = {"control": await self._api.web_socket(operation, secrets.pop("control"), is_watched=True)}
            for name, secret in secrets.items():
                streams[name] = await self._api.web_socket(operation, secret)
        except InfrastructureError as error:
            raise ConnectionError(error.message) from error
        session = session_factory()
        channel = ExecChannel(streams, frame, session)
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


def _ignore(_: bytes) -> None:
    """Take output that nobody wants."""
