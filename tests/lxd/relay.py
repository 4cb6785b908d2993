"""A door to a port of loopback in other namespaces: the same port of this host's loopback."""

import contextlib
import ctypes
import os
import select
import socket
import threading

_NEW_NETWORK = 0x40000000  # CLONE_NEWNET


class Relay:
    """Passes connections on as long as it is open. Use it as a context manager."""

    def __init__(self, pid: int) -> None:
        """Lead to the network that the process ``pid`` has; a port is chosen."""
        self._network = f"/proc/{pid}/ns/net"
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._threads = [threading.Thread(target=self._listen)]

    def __enter__(self) -> "Relay":
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(timeout=10)
        self._listening.close()

    def _listen(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                near, _ = self._listening.accept()
                self._threads.append(threading.Thread(target=self._pass_on, args=(near,), daemon=True))
                self._threads[-1].start()

    def _pass_on(self, near: socket.socket) -> None:
        network = os.open(self._network, os.O_RDONLY)
        try:
            if ctypes.CDLL(None, use_errno=True).setns(network, _NEW_NETWORK):  # of this thread only
                raise OSError(ctypes.get_errno(), "setns")
        finally:
            os.close(network)
        with near, contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)) as far:
            other = {near: far, far: near}
            while True:
                for ready in select.select([near, far], [], [])[0]:
                    if not (piece := ready.recv(65536)):
                        return
                    other[ready].sendall(piece)
