"""Shells within a run: one at a time, always told of, and none without a terminal."""

import asyncio
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from outspread.errors import ConnectionLostError, UserError
from outspread.machines.contract import ScriptEnd, Terminal
from outspread.worker.terminal_desk import NoTerminal, open_shell


class FakeDesk:
    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.given_back = 0

    def turn(self) -> AbstractAsyncContextManager[None]:
        return self.lock

    async def borrow(self) -> Terminal:
        return object()  # type: ignore[return-value]

    def give_back(self) -> None:
        self.given_back += 1


class FakeShell:
    """Its shells end when told to, with what was said beforehand."""

    def __init__(self, end: ScriptEnd | Exception) -> None:
        self.end = end
        self.setups: list[bytes] = []
        self.leave = asyncio.Event()

    async def interact(self, setup: bytes, terminal: Terminal) -> ScriptEnd:
        self.setups.append(setup)
        await self.leave.wait()
        if isinstance(self.end, Exception):
            raise self.end
        return self.end


async def opened(desk: Any, shell: Any, told: list[str]) -> None:
    await open_shell(desk, shell, b"setup", opened=lambda: told.append("opened"), closed=told.append)


@pytest.mark.parametrize(
    ("end", "reason"),
    [(ScriptEnd(0), ""), (ScriptEnd(5), "exit code 5"), (ScriptEnd(None, signal=9), "killed by signal 9")],
)
def test_how_it_ended_is_told(end: ScriptEnd, reason: str) -> None:
    async def go() -> None:
        desk, shell, told = FakeDesk(), FakeShell(end), list[str]()
        shell.leave.set()
        await opened(desk, shell, told)
        assert told == ["opened", reason]
        assert shell.setups == [b"setup"]
        assert desk.given_back == 1

    asyncio.run(go())


def test_a_lost_machine_is_told_and_raised() -> None:
    async def go() -> None:
        desk, shell, told = FakeDesk(), FakeShell(ConnectionLostError("it burns")), list[str]()
        shell.leave.set()
        with pytest.raises(ConnectionLostError):
            await opened(desk, shell, told)
        assert told == ["opened", "it burns"]
        assert desk.given_back == 1

    asyncio.run(go())


def test_the_second_waits_for_the_first_and_a_cancelled_one_is_closed() -> None:
    async def go() -> None:
        desk, first, second = FakeDesk(), FakeShell(ScriptEnd(0)), FakeShell(ScriptEnd(0))
        told: list[str] = []
        tasks = [asyncio.create_task(opened(desk, shell, told)) for shell in (first, second)]
        while not first.setups:
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not second.setups
        tasks[0].cancel()
        await asyncio.wait([tasks[0]])
        second.leave.set()
        await tasks[1]
        assert told == ["opened", "the run ended first", "opened", ""]
        assert desk.given_back == 2

    asyncio.run(go())


def test_a_worker_without_a_terminal_says_so_and_goes_on() -> None:
    async def go() -> None:
        told: list[str] = []
        await opened(NoTerminal(), FakeShell(ScriptEnd(0)), told)
        assert told == ["opened", "cannot open a shell: this worker has no terminal"]
        with pytest.raises(UserError):
            await NoTerminal().borrow()

    asyncio.run(go())
