"""When an agent sends what it has to say."""

import socket
import time
from collections.abc import Iterator

import pytest

from outspread.machines import agent


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        theirs.setblocking(False)
        yield ours, theirs


def test_output_goes_with_the_end_of_its_command(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    outbox = agent.Outbox(ours.fileno())
    outbox.gather(agent.OUTPUT, b"said")
    assert time.monotonic() < outbox.due <= time.monotonic() + agent.GATHER_S
    assert not outbox
    with pytest.raises(BlockingIOError):
        theirs.recv(100)
    outbox.put(agent.END, b"how")
    assert theirs.recv(100) == agent.frame(agent.OUTPUT, b"said") + agent.frame(agent.END, b"how")
    assert outbox.due == float("inf")


def test_more_output_does_not_put_it_off(ends: tuple[socket.socket, socket.socket]) -> None:
    outbox = agent.Outbox(ends[0].fileno())
    outbox.gather(agent.OUTPUT, b"one")
    due = outbox.due
    outbox.gather(agent.OUTPUT, b"two")
    assert outbox.due == due


def test_much_output_does_not_wait(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    outbox = agent.Outbox(ours.fileno())
    outbox.gather(agent.OUTPUT, bytes(agent.GATHER_BYTES))
    assert len(theirs.recv(100_000)) == agent.GATHER_BYTES + 5


def test_it_says_when_nobody_reads(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    outbox = agent.Outbox(ours.fileno())
    while not outbox:
        outbox.put(agent.OUTPUT, bytes(100_000))
    while outbox:
        theirs.recv(1_000_000)
        outbox.flush()
