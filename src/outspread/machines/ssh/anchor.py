"""The anchor: the process on the machine that holds the agent's stream while SSH connections come and go.

It runs on the machine, started over SSH with the agent's own source (see ``start``): standard library only, Python 3.8.

The first connection is its standard input and output. Another one is brought by ``bringer``, which runs in a new SSH session
and hands its own standard input and output over a socket that has no place in any file system. When nobody has been heard of for
``ABANDONED_AFTER_S`` the anchor ends, and at once when told so; the agent ends with it, and kills what its command started.
"""

# pathlib takes 10 ms to import:
# ruff: noqa: PTH123

from __future__ import annotations

import array
import os
import select
import socket
import struct
import time

from outspread.machines import agent
from outspread.machines.ssh import machine_facts, rendezvous
from outspread.machines.ssh import numbered_stream as wire

#: How long the agent waits for somebody to come back.
ABANDONED_AFTER_S = 120.0
#: What may wait here for a connection; beyond it the agent, and with it the script, is held back.
WINDOW_BYTES = 4 * 1024 * 1024
#: What may wait for the agent, or for the connection, before no more is taken in.
_PENDING_BYTES = 1024 * 1024
_PIECE_BYTES = 128 * 1024
_CREDENTIALS = struct.Struct("3i")


class Link:
    """One connection: what it brings, and what is on its way into it."""

    def __init__(self, incoming: int, outgoing: int, bringer: socket.socket | None = None) -> None:
        self.incoming = incoming
        self.outgoing = outgoing
        self.outbox = bytearray()
        self.parser = wire.FrameParser()
        self.is_greeted = bringer is None  # the first one has nothing to resume
        self._bringer = bringer  # it lives until this is closed
        for fd in (incoming, outgoing):
            os.set_blocking(fd, False)

    def put(self, kind: bytes, payload: bytes = b"") -> None:
        """Send a frame, as far as the connection takes it now. Raises OSError when it is gone."""
        self.outbox += wire.frame(kind, payload)
        self.flush()

    def flush(self) -> None:
        """Send on."""
        try:
            while self.outbox:
                del self.outbox[: os.write(self.outgoing, self.outbox)]
        except BlockingIOError:
            return

    def close(self) -> None:
        """Let go of the connection."""
        os.close(self.incoming)
        os.close(self.outgoing)
        if self._bringer is not None:
            self._bringer.close()


class Anchor:
    """Holds one agent's stream."""

    def __init__(self, agent_stream: socket.socket, listener: socket.socket, mark: bytes, link: Link) -> None:
        agent_stream.setblocking(False)
        self._agent = agent_stream
        self._listener = listener
        self._mark = mark
        self._link = link  # type: Link | None
        self._kept = wire.Outgoing()
        self._incoming = wire.Incoming()
        self._to_agent = bytearray()
        self._agent_is_gone = False
        self._is_told = False  # that it is
        self._ends = False
        self._heard = time.monotonic()

    def hold(self) -> None:
        """Hold the stream until told to end, or until nobody has been heard of for long."""
        self._greet(machine_facts.gather())
        while not self._ends:
            left_s = self._heard + ABANDONED_AFTER_S - time.monotonic()
            if left_s <= 0:
                return
            for fd, events in self._poll().poll(left_s * 1000):
                self._attend(fd, events)

    def _poll(self) -> select.poll:
        poll = select.poll()
        poll.register(self._listener, select.POLLIN)
        link = self._link
        wanted = select.POLLOUT if self._to_agent else 0
        if len(self._kept) < WINDOW_BYTES and (link is None or len(link.outbox) < _PENDING_BYTES):
            wanted |= select.POLLIN
        if not self._agent_is_gone and wanted:
            poll.register(self._agent, wanted)
        if link is not None:
            if len(self._to_agent) < _PENDING_BYTES:
                poll.register(link.incoming, select.POLLIN)
            else:
                self._heard = time.monotonic()  # it is we who do not listen
            if link.outbox:
                poll.register(link.outgoing, select.POLLOUT)
        return poll

    def _attend(self, fd: int, events: int) -> None:
        if fd == self._listener.fileno():
            self._accept()
        elif fd == self._agent.fileno():
            if events & select.POLLOUT:
                self._feed_agent()
            if events & ~select.POLLOUT:
                self._hear_agent()
        elif self._link is not None and fd in (self._link.incoming, self._link.outgoing):
            try:
                if fd == self._link.incoming:
                    self._hear_link(self._link)
                else:
                    self._link.flush()
            except (OSError, wire.StreamBrokenError):
                self._drop_link()

    # --- the agent's side -------------------------------------------------------------------------------------------

    def _hear_agent(self) -> None:
        try:
            piece = os.read(self._agent.fileno(), _PIECE_BYTES)
        except BlockingIOError:
            return
        except OSError:
            piece = b""
        if not piece:
            self._agent_is_gone = True
            self._tell_end()
            return
        self._kept.add(piece)
        self._put(wire.DATA, piece)

    def _feed_agent(self) -> None:
        try:
            while self._to_agent:
                del self._to_agent[: os.write(self._agent.fileno(), self._to_agent)]
        except BlockingIOError:
            return
        except OSError:  # it is gone: reading from it says so too, after what it still had to say
            self._to_agent.clear()

    def _tell_end(self) -> None:
        if self._agent_is_gone and not self._is_told and self._link is not None and self._link.is_greeted:
            self._is_told = True
            self._put(wire.OVER)

    # --- the other side ---------------------------------------------------------------------------------------------

    def _put(self, kind: bytes, payload: bytes = b"") -> None:
        if self._link is not None and self._link.is_greeted:
            try:
                self._link.put(kind, payload)
            except OSError:
                self._drop_link()

    def _greet(self, known: bytes) -> None:
        if self._link is not None:
            try:
                self._link.outbox += self._mark
                self._link.put(wire.HELLO, wire.position(self._incoming.count) + known)
            except OSError:
                self._drop_link()

    def _drop_link(self) -> None:
        if self._link is not None:
            self._link.close()
        self._link = None

    def _hear_link(self, link: Link) -> None:
        try:
            data = os.read(link.incoming, _PIECE_BYTES)
        except BlockingIOError:
            return
        if not data:
            self._drop_link()
            return
        self._heard = time.monotonic()
        for kind, payload in link.parser.feed(data):
            if kind == wire.DATA:
                self._incoming.add(len(payload))
                self._to_agent += payload
            elif kind == wire.TAKEN:
                self._kept.acknowledge(int.from_bytes(payload, "big"))
            elif kind == wire.HELLO:
                self._resume(link, int.from_bytes(payload, "big"))
            elif kind == wire.GOODBYE:
                self._ends = True
        self._feed_agent()
        if self._incoming.due():
            self._put(wire.TAKEN, wire.position(self._incoming.count))

    def _resume(self, link: Link, count: int) -> None:
        again = self._kept.resume(count)
        link.is_greeted = True
        link.put(wire.DATA, again)
        self._is_told = False
        self._tell_end()

    def _accept(self) -> None:
        """Take another connection from whoever brings one, in place of the present one."""
        bringer, _ = self._listener.accept()
        _, uid, _ = _CREDENTIALS.unpack(bringer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
        descriptors = array.array("i")
        if uid == os.geteuid():
            bringer.settimeout(5)
            try:
                _, ancillary, _, _ = bringer.recvmsg(1, socket.CMSG_SPACE(2 * descriptors.itemsize))
            except OSError:
                ancillary = []
            for _, _, data in ancillary:
                descriptors.frombytes(data)
        if len(descriptors) != 2:
            bringer.close()
            return
        self._drop_link()
        self._link = Link(descriptors[0], descriptors[1], bringer)
        self._heard = time.monotonic()
        self._greet(b"")


def start(token: str) -> None:
    """Start the agent and be its anchor; standard input and output are the first connection."""
    mark = wire.mark(token)
    try:
        os.close(agent.pidfd_open(os.getpid()))
    except OSError as error:  # Linux before 5.3
        os.write(1, mark + wire.frame(wire.NONE, machine_facts.gather(str(error))))
        return
    os.setsid()
    incoming, outgoing = os.dup(0), os.dup(1)
    os.close(agent.take_stream(0))
    rendezvous.widen(incoming, outgoing)
    ours, theirs = socket.socketpair()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.close(incoming)
            os.close(outgoing)
            ours.close()
            code = agent.serve(theirs.detach(), _environment())
        finally:
            os._exit(code)
    theirs.close()
    agent.show_as(b"outspread-anchor")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(rendezvous.socket_name(token))
    listener.listen(1)
    Anchor(ours, listener, mark, Link(incoming, outgoing)).hold()
    ours.close()  # upon which the agent ends its command
    os.waitpid(child, 0)


def _environment() -> dict[bytes, bytes]:
    """Return what scripts find: the environment of the login, without what a sudo that only opened the door left in it."""
    with open("/proc/self/environ", "rb") as file:  # as it was given to us: Python may have changed the locale in its own
        variables = (entry.partition(b"=") for entry in file.read().split(b"\0"))
    return {name: value for name, sign, value in variables if sign and not name.startswith(b"SUDO_")}
