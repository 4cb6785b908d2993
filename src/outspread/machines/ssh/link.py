"""One SSH channel to one of our programs on a machine: past what a login shell says, then frames."""

import asyncio
from collections.abc import Callable
from typing import cast

import asyncssh
from asyncssh.session import DataType
from msgspec import Struct

from outspread.errors import InfrastructureError
from outspread.machines.ssh import numbered_stream as wire
from outspread.machines.ssh.carrier import Channel, Connection, Target
from outspread.machines.ssh.reason import reason
from outspread.machines.ssh.small_packets import acknowledge_at_once, in_one_segment
from outspread.machines.ssh.start_command import start_command

#: How long a machine may take to start a program, and how much its login shell may say before.
_HELLO_WITHIN_S = 30.0
_NOISE_BYTES = 256 * 1024
_ERROR_BYTES = 2000
_CONFUSED = "what its anchor says makes no sense"
#: How much may come in that was not asked for yet.
_WINDOW_BYTES = 4 * 1024 * 1024


class Hello(Struct, frozen=True):
    """What a program says first: how much it has taken of the stream, or that there is nobody to take it; and of its machine."""

    taken: int | None
    boot_id: str = ""
    zstd: str = ""
    why: str = ""


class Link(asyncssh.SSHClientSession[bytes]):
    """The channel. What comes after the hello waits until ``attach``."""

    def __init__(self, token: str) -> None:
        self._loop = asyncio.get_running_loop()
        self._mark: bytes = wire.mark(token)
        self._noise = bytearray()
        self._said = b""
        self._parser = wire.FrameParser()
        self._is_marked = False
        self._early: list[tuple[bytes, bytes]] = []
        self._take: Callable[[bytes, bytes], None] | None = None
        self._lost: Callable[[str], None] | None = None
        self._why_lost = ""
        self._channel: Channel | None = None
        self.hello: asyncio.Future[Hello] = self._loop.create_future()
        self.ended = asyncio.Event()

    def attach(self, take: Callable[[bytes, bytes], None], lost: Callable[[str], None]) -> None:
        """Hand on frames from now on, and the reason when there can be no more."""
        self._take, self._lost = take, lost
        early, self._early = self._early, []
        try:
            for kind, payload in early:
                take(kind, payload)
        except wire.StreamBrokenError:
            self._give_up()
            return
        if self.ended.is_set():
            lost(self._why_lost)

    def put(self, kind: bytes, payload: bytes = b"") -> None:
        """Send a frame; ignored when the channel is closing, which ``lost`` tells."""
        self.write(wire.frame(kind, payload))

    def write(self, data: bytes) -> None:
        if self._channel is not None and not self._channel.is_closing():
            with in_one_segment(self._channel.get_extra_info("socket")):
                self._channel.write(data)

    def hold(self) -> None:
        """Take nothing more."""
        if self._channel is not None:
            self._channel.pause_reading()

    def resume(self) -> None:
        """Take again."""
        if self._channel is not None:
            self._channel.resume_reading()

    def close(self) -> None:
        """Close the channel, once what was put is sent."""
        if self._channel is not None:
            self._channel.close()

    # --- called by asyncssh -----------------------------------------------------------------------------------------

    def connection_made(self, chan: asyncssh.SSHClientChannel[bytes]) -> None:
        """Know the channel."""
        self._channel = chan

    def data_received(self, data: bytes, datatype: DataType) -> None:
        """Take what the program, or a shell before it, writes."""
        if datatype == asyncssh.EXTENDED_DATA_STDERR:
            self._said = (self._said + data)[-_ERROR_BYTES:]
            return
        if not self._is_marked:
            self._noise += data
            _, found, data = bytes(self._noise).partition(self._mark)
            if not found:
                if len(self._noise) > _NOISE_BYTES:
                    self.close()
                return
            self._is_marked = True
            self._noise.clear()
        try:
            for kind, payload in self._parser.feed(data):
                self._hand_on(kind, payload)
        except wire.StreamBrokenError:
            self._give_up()

    def _give_up(self) -> None:
        self.close()
        self._end(_CONFUSED)

    def _hand_on(self, kind: bytes, payload: bytes) -> None:
        if kind in (wire.HELLO, wire.NONE):
            if not self.hello.done():
                self.hello.set_result(_hello(kind, payload))
        elif self._take is not None:
            self._take(kind, payload)
        else:
            self._early.append((kind, payload))

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever waits."""
        self._end(reason(exc))

    def _end(self, why: str) -> None:
        if self.ended.is_set():
            return
        self._why_lost = why
        self.ended.set()
        if not self.hello.done():
            noise = bytes(self._noise[-_ERROR_BYTES:])
            said = "; ".join((self._said.strip() or noise.strip()).decode(errors="replace").split("\n"))
            self.hello.set_exception(InfrastructureError(said or why))
            self.hello.exception()  # seen: nobody needs to wait for it
        if self._lost is not None:
            self._lost(why)


async def open_link(connection: Connection, target: Target, token: str, program: bytes) -> tuple[Link, Hello]:
    """Start ``program`` on the machine as root and return the channel to it, and its hello."""
    what = f"cannot start an agent on {target.name}"
    try:
        async with asyncio.timeout(_HELLO_WITHIN_S):
            # when the request for the session is out
            asyncio.get_running_loop().call_soon(acknowledge_at_once, connection.get_extra_info("socket"))
            _, session = await connection.create_session(
                lambda: Link(token),
                start_command(target.username, token),
                encoding=None,
                window=_WINDOW_BYTES,
            )
            link = cast("Link", session)
            link.write(program)
            return link, await link.hello
    except TimeoutError as error:
        raise InfrastructureError(f"{what}: it did not answer within {_HELLO_WITHIN_S:g} s") from error
    except (OSError, asyncssh.Error) as error:
        raise InfrastructureError(f"{what}: {reason(error)}") from error
    except InfrastructureError as error:
        hint = "" if target.username == "root" else f"{target.username} needs sudo without a password"
        raise InfrastructureError(f"{what}: {error.message}", hint=hint) from error


def _hello(kind: bytes, payload: bytes) -> Hello:
    taken = None
    if kind == wire.HELLO:
        taken, payload = int.from_bytes(payload[:8], "big"), payload[8:]
    facts = dict(line.split("=", 1) for line in payload.decode(errors="replace").splitlines() if "=" in line)
    return Hello(taken, boot_id=facts.get("boot_id", ""), zstd=facts.get("zstd", ""), why=facts.get("why", ""))
