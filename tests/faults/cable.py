"""A cable to a host, which can be cut: a TCP port on this computer behind which is the host's own."""

import selectors
import socket
import struct
import threading
import time

_PIECE_BYTES = 65536
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: what is closed so is reset


class Cable:
    """Use it as a context manager; it works in a thread of its own."""

    def __init__(self, address: str, port: int) -> None:
        self._to = (address, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._pairs: dict[socket.socket, socket.socket] = {}
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._lock = threading.Lock()
        self._is_over = False
        self._is_frozen = False
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        self.spread_address = f"127.0.0.1:{self._listener.getsockname()[1]}"

    def reset(self) -> None:
        """Reset every connection, at both ends; new ones are let through."""
        with self._lock:
            for end in [*self._pairs]:
                self._drop(end)

    def freeze(self) -> None:
        """Let nothing through, in either direction, and tell nobody."""
        self._is_frozen = True

    def thaw(self) -> None:
        """Let through what waited, and what comes."""
        self._is_frozen = False

    def unplug(self) -> None:
        """Reset every connection, and let none through any more."""
        with self._lock:
            if self._listener.fileno() >= 0:
                self._selector.unregister(self._listener)
                self._listener.close()
        self.reset()

    def _serve(self) -> None:
        while not self._is_over:
            if self._is_frozen:
                time.sleep(0.02)
                continue
            for key, _ in self._selector.select(0.1):
                end = key.fileobj
                assert isinstance(end, socket.socket)
                with self._lock:
                    if end is self._listener:
                        self._connect()
                    elif end in self._pairs:
                        self._pass_on(end)

    def _connect(self) -> None:
        if self._listener.fileno() < 0:
            return
        ours, _ = self._listener.accept()
        theirs = socket.create_connection(self._to)
        for end, other in ((ours, theirs), (theirs, ours)):
            self._pairs[end] = other
            self._selector.register(end, selectors.EVENT_READ)

    def _pass_on(self, end: socket.socket) -> None:
        try:
            piece = end.recv(_PIECE_BYTES)
            self._pairs[end].sendall(piece)
        except OSError:
            piece = b""
        if not piece:
            self._drop(end)

    def _drop(self, end: socket.socket) -> None:
        other = self._pairs.pop(end, None)
        if other is None:
            return
        del self._pairs[other]
        for one in (end, other):
            self._selector.unregister(one)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            one.close()

    def __enter__(self) -> "Cable":
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over = True
        self._thread.join()
        self.unplug()
        self._selector.close()
