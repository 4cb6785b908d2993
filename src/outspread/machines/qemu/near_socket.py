"""Unix sockets in directories whose paths are too long for them (more than 107 bytes): named by way of an open directory."""

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path


def listen_near(path: Path) -> socket.socket:
    """Return a socket that listens at ``path``."""
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with _short(path) as name:
            listening.bind(name)
        path.chmod(0o600)
        listening.listen(1)
    except BaseException:
        listening.close()
        raise
    return listening


def connect_near(path: Path) -> socket.socket:
    """Return a socket that is connected to the one listening at ``path``."""
    connected = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with _short(path) as name:
            connected.connect(name)
    except BaseException:
        connected.close()
        raise
    return connected


@contextlib.contextmanager
def _short(path: Path) -> Iterator[str]:
    directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)
