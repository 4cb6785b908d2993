"""The machine's end of the stream may say anything: what makes no sense loses the machine, and nothing else."""

import asyncio
import math
import socket

import pytest

from outspread.errors import ConnectionLostError
from outspread.machines import agent
from outspread.machines.agent_connection import AgentConnection, Command


def said(answer: bytes) -> str:
    """Return why a machine is lost whose agent answers a command with ``answer``."""

    async def scenario() -> str:
        ours, theirs = socket.socketpair()
        connection = AgentConnection(ours, "b:s")
        theirs.sendall(answer)
        command = Command(argv=("/bin/true",), kill_after_s=math.inf)
        with theirs, pytest.raises(ConnectionLostError) as caught:
            async with asyncio.timeout(5):
                await connection.run(command, output=bytearray().extend)
        connection.close()
        return str(caught.value)

    return asyncio.run(scenario())


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (agent.OUTPUT + b"\xff\xff\xff\xff", "announced a frame of 4294967295 bytes"),
        (agent.frame(agent.END), "makes no sense"),
        (agent.frame(agent.END, b"e"), "makes no sense"),
        (agent.frame(agent.END, b"?" + bytes(5)), "makes no sense"),
        (agent.frame(agent.END, b"e" + bytes(50)), "makes no sense"),
        (agent.frame(agent.TAKEN, b"\xff" * 100), "took more input than it was given"),
        (agent.frame(b"?", b"x"), "unknown kind"),
        (agent.frame(agent.BROKEN, b"x" * 100_000), "its agent failed: xxx"),
    ],
)
def test_frames_that_make_no_sense(answer: bytes, why: str) -> None:
    text = said(answer)
    assert text.startswith("lost the connection to b:s: ")
    assert why in text
    assert len(text) < 5000


def test_an_end_that_comes_twice_loses_the_machine_for_the_next_command() -> None:
    async def scenario() -> None:
        ours, theirs = socket.socketpair()
        connection = AgentConnection(ours, "b:s")
        theirs.sendall(2 * agent.frame(agent.END, b"e" + bytes(5)))
        command = Command(argv=("/bin/true",), kill_after_s=math.inf)
        with theirs:
            assert (await connection.run(command, output=bytearray().extend)).passed
            with pytest.raises(ConnectionLostError, match="ended a command twice"):
                await connection.run(command, output=bytearray().extend)
        connection.close()

    asyncio.run(scenario())
