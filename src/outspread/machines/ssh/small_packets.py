"""Small packets over TCP without waiting: neither for each other, nor for an acknowledgement that the kernel puts off."""

import contextlib
import socket
from collections.abc import Iterator


@contextlib.contextmanager
def in_one_segment(connected: socket.socket | None) -> Iterator[None]:
    """Send what is written within as one: the other side wakes up once (asyncssh puts a packet before each of ours)."""
    if connected is None:
        yield
        return
    _set(connected, socket.TCP_CORK, 1)
    try:
        yield
    finally:
        _set(connected, socket.TCP_CORK, 0)


def acknowledge_at_once(connected: socket.socket | None) -> None:
    """Acknowledge what is read next without delay.

    sshd lets Nagle's algorithm hold back what it sends until a session begins: its second answer waits for the acknowledgement of
    the first, which the kernel here would put off for 40 ms.
    """
    if connected is not None:
        _set(connected, socket.TCP_QUICKACK, 1)


def _set(connected: socket.socket, option: int, value: int) -> None:
    with contextlib.suppress(OSError):  # not over TCP, or closed: whoever writes hears of that
        connected.setsockopt(socket.IPPROTO_TCP, option, value)
