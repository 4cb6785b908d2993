"""How small packets travel, over TCP of this computer."""

import socket
from collections.abc import Iterator

import pytest

from outspread.machines.ssh.small_packets import acknowledge_at_once, in_one_segment


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as ours:
        ours.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        theirs, _ = server.accept()
        with theirs:
            theirs.settimeout(10)
            yield ours, theirs


def test_what_is_written_together_arrives_together(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    with in_one_segment(ours):
        ours.send(b"one")
        ours.send(b"two")
        theirs.settimeout(0)
        with pytest.raises(BlockingIOError):
            theirs.recv(100)
    theirs.settimeout(10)
    assert theirs.recv(100) == b"onetwo"
    ours.send(b"three")  # waits for nothing any more
    assert theirs.recv(100) == b"three"


def test_an_error_within_lets_go_of_what_was_written(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends

    def send_and_fail() -> None:
        with in_one_segment(ours):
            ours.send(b"one")
            raise ValueError("odd")

    with pytest.raises(ValueError, match="odd"):
        send_and_fail()
    assert theirs.recv(100) == b"one"


def test_what_has_no_segments_is_left_alone() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        for end in (ours, None):
            acknowledge_at_once(end)
            with in_one_segment(end):
                ours.send(b"x")
        assert theirs.recv(100) == b"xx"


def test_a_closed_connection_is_for_others_to_notice(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, _ = ends
    ours.close()
    acknowledge_at_once(ours)
    with in_one_segment(ours):
        pass
