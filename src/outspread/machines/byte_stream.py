"""Bytes both ways, in order: what an agent is spoken to over, whatever carries it."""

import asyncio
import socket
from collections.abc import Callable
from typing import Protocol

_READ_BYTES = 256 * 1024


class ByteStream(Protocol):
    """A stream to another process. Belongs to one event loop, from ``start`` to ``close``."""

    def start(self, received: Callable[[bytes], None], lost: Callable[[str], None]) -> None:
        """Begin: ``received`` is given each piece as it comes, and ``lost`` the reason, once, when no more can come."""
        ...

    def send(self, data: bytes) -> None:
        """Send, or keep until it can be sent: how much is on its way is for the caller to bound. Ignored once lost."""
        ...

    def hold(self) -> None:
        """Take nothing more in until ``resume``, but for a little that is on its way already. Idempotent."""
        ...

    def resume(self) -> None:
        """Undo ``hold``. Idempotent."""
        ...

    def close(self) -> None:
        """Let go; neither function is called any more. Idempotent."""
        ...


class SocketStream:
    """A ByteStream over a connected socket."""

    def __init__(self, connected: socket.socket) -> None:
        """Take over ``connected``."""
        self._socket = connected
        self._loop = asyncio.get_running_loop()
        self._outgoing = bytearray()
        self._is_open = True
        connected.setblocking(False)

    def start(self, received: Callable[[bytes], None], lost: Callable[[str], None]) -> None:
        """Begin to read."""
        self._received = received
        self._lost = lost
        self._loop.add_reader(self._socket.fileno(), self._read)

    def send(self, data: bytes) -> None:
        """Send on, as far as the socket takes it now; the rest when it does."""
        if not self._is_open:
            return
        idle = not self._outgoing
        self._outgoing += data
        if idle:
            self._flush()
            if self._outgoing:
                self._loop.add_writer(self._socket.fileno(), self._flush)

    def hold(self) -> None:
        """Read no more for now."""
        if self._is_open:
            self._loop.remove_reader(self._socket.fileno())

    def resume(self) -> None:
        """Read again."""
        if self._is_open:
            self._loop.add_reader(self._socket.fileno(), self._read)

    def close(self) -> None:
        """Close the socket."""
        if not self._is_open:
            return
        self._is_open = False
        if not self._loop.is_closed():
            self._loop.remove_reader(self._socket.fileno())
            self._loop.remove_writer(self._socket.fileno())
        self._socket.close()

    def _flush(self) -> None:
        try:
            while self._outgoing:
                sent = self._socket.send(self._outgoing)
                del self._outgoing[:sent]
        except BlockingIOError:
            return
        except OSError as error:
            self._lose(f"the stream broke: {error.strerror}")
            return
        self._loop.remove_writer(self._socket.fileno())

    def _read(self) -> None:
        try:
            piece = self._socket.recv(_READ_BYTES)
        except BlockingIOError:
            return
        except OSError as error:
            self._lose(f"the stream broke: {error.strerror}")
            return
        if piece:
            self._received(piece)
        else:
            self._lose("its agent is gone")

    def _lose(self, why: str) -> None:
        self.close()
        self._lost(why)
