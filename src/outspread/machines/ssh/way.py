"""One way into a machine, from log-in to good-bye: by an agent where there can be one, else by a channel for each command."""

import secrets
import socket
from collections.abc import Awaitable, Callable

import asyncssh
from msgspec import Struct, structs

from outspread.machines.agent_connection import AgentConnection
from outspread.machines.command_runner import CommandRunner
from outspread.machines.contract import ProgressSink
from outspread.machines.ssh.address import address_text
from outspread.machines.ssh.anchored_stream import AnchoredStream, drop
from outspread.machines.ssh.channel_commands import ChannelCommands
from outspread.machines.ssh.link import Hello, open_link
from outspread.machines.ssh.login import host_key, log_in
from outspread.machines.ssh.round_trip import round_trip_s
from outspread.machines.ssh.start_command import anchor_program
from outspread.machines.ssh.target import SshTarget

#: Gets a connection to a machine's SSH server; raises ConnectionLostError when there is none.
Dial = Callable[[], Awaitable[socket.socket]]


class Way(Struct, frozen=True):
    """How commands get to the machine. ``target`` has the host key pinned that the machine proved to have."""

    target: SshTarget
    runner: CommandRunner
    hello: Hello
    close: Callable[[], Awaitable[None]]
    #: Don't make the connection again when it is lost.
    let_go: Callable[[], None]
    connection: Callable[[], asyncssh.SSHClientConnection]

    @property
    def name(self) -> str:
        return address_text(self.target.host, self.target.port)

    def round_trip_s(self) -> float:
        return round_trip_s(self.connection().get_extra_info("socket"))


async def open_way(target: SshTarget, progress: ProgressSink, dial: Dial | None = None) -> Way:
    """Log in, over the connection that ``dial`` gets, and start an agent; raises InfrastructureError when that cannot be done."""
    connection = await log_in(target, await dial() if dial is not None else None)
    try:
        target = structs.replace(target, host_key=host_key(connection))
        token = secrets.token_hex(16)
        link, hello = await open_link(connection, target, token, anchor_program(token))
        if hello.taken is None:
            progress(f"no agent on {target.host}, scripts get a channel each: {hello.why}")
            return _without_agent(target, connection, hello)
        stream = AnchoredStream(target, token, connection, link, hello.boot_id)
        runner = AgentConnection(stream, address_text(target.host, target.port))

        async def close() -> None:
            runner.close()
            await stream.ended()

        await runner.ready()
        return Way(target, runner, hello, close, stream.let_go, lambda: stream.connection)
    except BaseException:
        connection.abort()
        raise


def _without_agent(target: SshTarget, connection: asyncssh.SSHClientConnection, hello: Hello) -> Way:
    runner = ChannelCommands(connection, target, address_text(target.host, target.port))

    async def close() -> None:
        runner.close()
        await drop(connection)

    return Way(target, runner, hello, close, lambda: None, lambda: connection)
