"""One way into a machine, from log-in to good-bye: by an agent where there can be one, else by a channel for each command."""

import secrets
import socket
from collections.abc import Awaitable, Callable

from msgspec import Struct

from outspread.machines.agent_connection import AgentConnection
from outspread.machines.command_runner import CommandRunner
from outspread.machines.contract import ProgressSink
from outspread.machines.ssh.anchored_stream import AnchoredStream, drop
from outspread.machines.ssh.carrier import Connection, Target
from outspread.machines.ssh.channel_commands import ChannelCommands
from outspread.machines.ssh.link import Hello, open_link
from outspread.machines.ssh.round_trip import round_trip_s
from outspread.machines.ssh.start_command import anchor_program

#: Gets a connection to a machine's SSH server; raises ConnectionLostError when there is none.
Dial = Callable[[], Awaitable[socket.socket]]


class Way(Struct, frozen=True):
    """How commands get to the machine. ``target`` has the host key pinned that the machine proved to have."""

    target: Target
    runner: CommandRunner
    hello: Hello
    close: Callable[[], Awaitable[None]]
    #: Don't make the connection again when it is lost.
    let_go: Callable[[], None]
    connection: Callable[[], Connection]

    @property
    def name(self) -> str:
        return self.target.name

    def round_trip_s(self) -> float:
        return round_trip_s(self.connection().get_extra_info("socket"))


async def open_way(target: Target, progress: ProgressSink, dial: Dial | None = None) -> Way:
    """Log in, over the connection that ``dial`` gets, and start an agent; raises InfrastructureError when that cannot be done."""
    connection: Connection = await target.log_in(await dial() if dial is not None else None)
    try:
        target = target.pinned_to(connection)
        token = secrets.token_hex(16)
        link, hello = await open_link(connection, target, token, anchor_program(token))
        if hello.taken is None:
            progress(f"no agent on {target.name}, scripts get a channel each: {hello.why}")
            return _without_agent(target, connection, hello)
        stream = AnchoredStream(target, token, connection, link, hello.boot_id)
        runner = AgentConnection(stream, target.name)

        async def close() -> None:
            runner.close()
            await stream.ended()

        await runner.ready()
        return Way(target, runner, hello, close, stream.let_go, lambda: stream.connection)
    except BaseException:
        connection.abort()
        raise


def _without_agent(target: Target, connection: Connection, hello: Hello) -> Way:
    runner = ChannelCommands(connection, target)

    async def close() -> None:
        runner.close()
        await drop(connection)

    return Way(target, runner, hello, close, lambda: None, lambda: connection)
