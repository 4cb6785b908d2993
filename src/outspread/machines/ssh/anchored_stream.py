"""The stream to an agent behind an anchor: it outlives the SSH connection, which it makes again once when it is lost."""

import asyncio
from collections.abc import Callable

from outspread.errors import InfrastructureError, OutspreadError
from outspread.machines.ssh import numbered_stream as wire
from outspread.machines.ssh.carrier import Connection, Target
from outspread.machines.ssh.link import Link, open_link
from outspread.machines.ssh.start_command import bringer_program

#: A connection that is lost again sooner than this after it was made again is given up.
_STEADY_S = 60.0
#: How often the anchor hears of us, well within the time after which it takes us for gone.
_HEARD_EVERY_S = 20.0
#: How long a goodbye may take: the agent ends what still runs.
_GOODBYE_S = 5.0
#: How long the other side may take to see that a connection is closed.
_CLOSING_S = 1.0


class AnchoredStream:
    """A ByteStream (``byte_stream``) over SSH connections, one at a time."""

    def __init__(self, target: Target, token: str, connection: Connection, link: Link, boot_id: str) -> None:
        """Take over ``connection`` and its ``link``; ``target`` has its host key pinned."""
        self._target = target
        self._token = token
        self._boot_id = boot_id
        self._loop = asyncio.get_running_loop()
        self.connection = connection
        self._link: Link | None = link
        self._first_link = link
        self._outgoing = wire.Outgoing()
        self._incoming = wire.Incoming()
        self._received: Callable[[bytes], None] = _ignore
        self._lost: Callable[[str], None] = _ignore
        self._is_closed = False
        self._is_held = False
        self._may_remake = True
        self._remade_at = -_STEADY_S
        self._remaking: asyncio.Task[None] | None = None
        self._ending: asyncio.Task[None] | None = None
        self._heartbeat = self._loop.call_later(_HEARD_EVERY_S, self._beat)

    def start(self, received: Callable[[bytes], None], lost: Callable[[str], None]) -> None:
        """Begin to hand on what comes."""
        self._received, self._lost = received, lost
        self._first_link.attach(self._take, self._link_lost)

    def send(self, data: bytes) -> None:
        """Send, and keep until the other end has it."""
        if self._is_closed:
            return
        self._outgoing.add(data)
        if self._link is not None:
            self._link.put(wire.DATA, data)

    def hold(self) -> None:
        """Take nothing more from the connection: the anchor, and then the agent, hold back what there is."""
        self._is_held = True
        if self._link is not None:
            self._link.hold()

    def resume(self) -> None:
        """Let it come again."""
        self._is_held = False
        if self._link is not None:
            self._link.resume()

    def close(self) -> None:
        """Say goodbye: the agent ends. ``ended`` waits for it."""
        if self._is_closed:
            return
        self._is_closed = True
        self._heartbeat.cancel()
        if self._remaking is not None:
            self._remaking.cancel()
        if not self._loop.is_closed():
            self._ending = self._loop.create_task(self._say_goodbye())

    async def ended(self) -> None:
        """Return once what ``close`` began is done."""
        if self._ending is not None:
            await asyncio.shield(self._ending)

    def let_go(self) -> None:
        """Don't make the connection again when it is lost: the machine is about to go down."""
        self._may_remake = False

    async def _say_goodbye(self) -> None:
        link, self._link = self._link, None
        try:
            if link is not None:
                link.put(wire.GOODBYE)
                async with asyncio.timeout(_GOODBYE_S):
                    await link.ended.wait()
        except TimeoutError:
            pass  # then it has to notice by itself
        finally:
            await drop(self.connection)

    # --- what comes -------------------------------------------------------------------------------------------------

    def _take(self, kind: bytes, payload: bytes) -> None:
        if self._is_closed:
            return
        if kind == wire.DATA:
            self._incoming.add(len(payload))
            self._received(payload)
            if self._link is not None and self._incoming.due():
                self._link.put(wire.TAKEN, wire.position(self._incoming.count))
        elif kind == wire.TAKEN:
            self._outgoing.acknowledge(int.from_bytes(payload, "big"))
        elif kind == wire.OVER:
            self._lost("its agent is gone")

    def _beat(self) -> None:
        if self._link is not None:
            self._link.put(wire.TAKEN, wire.position(self._incoming.count))
        self._heartbeat = self._loop.call_later(_HEARD_EVERY_S, self._beat)

    # --- a lost connection ------------------------------------------------------------------------------------------

    def _link_lost(self, why: str) -> None:
        self._link = None
        if self._is_closed:
            return
        if self._may_remake and self._loop.time() - self._remade_at >= _STEADY_S:
            self._remaking = self._loop.create_task(self._remake(why))
        else:
            self._lost(why)

    async def _remake(self, why: str) -> None:
        self.connection.abort()
        try:
            async with asyncio.timeout(self._target.remake_within_s):
                await self._resume()
        except TimeoutError:
            self._lost(f"{why}; it could not be made again within {self._target.remake_within_s:g} s")
        except OutspreadError as error:
            self._lost(f"{why}; then: {error.message}")
        except wire.StreamBrokenError:
            self._lost(f"{why}; then: its anchor acknowledges what was never sent")

    async def _resume(self) -> None:
        patience_s = max(0.0, self._target.remake_within_s - self._target.connect_within_s)  # the last attempt shall say why
        target = self._target.trying_for(patience_s)
        self.connection = await target.log_in()
        link, hello = await open_link(self.connection, target, self._token, bringer_program(self._token))
        if hello.taken is None:
            raise InfrastructureError("it has booted again" if hello.boot_id != self._boot_id else hello.why)
        link.put(wire.HELLO, wire.position(self._incoming.count))
        link.put(wire.DATA, self._outgoing.resume(hello.taken))
        self._link = link
        if self._is_held:
            link.hold()
        self._remade_at = self._loop.time()
        link.attach(self._take, self._link_lost)


async def drop(connection: Connection) -> None:
    """Close a connection; one that is dead already is not waited for."""
    try:
        connection.close()
        async with asyncio.timeout(_CLOSING_S):
            await connection.wait_closed()
    except TimeoutError:
        pass
    finally:
        connection.abort()


def _ignore(_: object) -> None:
    """Stand in until there is somebody to tell."""
