"""Machines made of nothing but values: what each script does is said by the test."""

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

import pytest

from outspread.errors import ConnectionLostError
from outspread.machines.contract import FetchedPaths, Machine, MachineRequest, OutputSink, ProgressSink, ScriptEnd, Terminal

#: What a script does: its text goes in; how it ends and what it prints comes out. Raising ConnectionLostError loses the machine.
Behaviour = Callable[[str], tuple[ScriptEnd, bytes]]


class FakeShell:
    def __init__(self, behaviour: Behaviour) -> None:
        self.behaviour = behaviour
        self.scripts: list[str] = []
        self.reboots = 0
        self.content: list[bytes] = []
        self.fetched: list[tuple[str, tuple[str, ...], Path]] = []
        self.fetch_error: Exception | None = None

    async def run(self, script: bytes, *, output: OutputSink, kill_after_s: float) -> ScriptEnd:
        self.scripts.append(script.decode())
        end, printed = self.behaviour(script.decode())
        output(printed)
        return end

    async def interact(self, setup: bytes, terminal: Terminal) -> ScriptEnd:
        self.scripts.append(setup.decode())
        return ScriptEnd(0)

    async def send_tree(self, archive: IO[bytes], directory: str) -> None:
        self.content.append(archive.read())

    async def fetch(self, directory: str, patterns: Sequence[str], destination: Path) -> FetchedPaths:
        if self.fetch_error is not None:
            raise self.fetch_error
        self.fetched.append((directory, tuple(patterns), destination))
        return FetchedPaths(1, ())

    async def reboot(self, *, within_s: float) -> None:
        self.reboots += 1

    async def close(self) -> None:
        pass


class FakeBackend:
    """Gives machines that behave as told; ``fails`` are raised by the next allocations."""

    def __init__(self, behaviour: Behaviour) -> None:
        self.behaviour = behaviour
        self.fails: list[Exception] = []
        self.shells: dict[str, FakeShell] = {}
        self.discarded: list[str] = []
        self.machines_live_on = False

    def draft(self, request: MachineRequest) -> Machine:
        return Machine(request.machine_id, request.backend.name, request.backend.type, request.system.name)

    async def allocate(self, request: MachineRequest, progress: ProgressSink) -> Machine:
        if self.fails:
            raise self.fails.pop(0)
        label = f"fake-{len(self.shells)}"
        return Machine(request.machine_id, request.backend.name, request.backend.type, request.system.name, label=label)

    async def connect(self, machine: Machine) -> FakeShell:
        return self.shells.setdefault(machine.machine_id, FakeShell(self.behaviour))

    async def discard(self, machine: Machine) -> None:
        self.discarded.append(machine.machine_id)

    async def existing(self) -> Sequence[Machine]:
        return ()


def passes(script: str) -> tuple[ScriptEnd, bytes]:
    return ScriptEnd(0), b""


def lost(script: str) -> tuple[ScriptEnd, bytes]:
    raise ConnectionLostError("the fake machine went away")


@pytest.fixture
def fake_shell() -> Callable[[Behaviour], FakeShell]:
    return FakeShell


@pytest.fixture
def fake_backend() -> Callable[[Behaviour], FakeBackend]:
    return FakeBackend


@pytest.fixture
def archive() -> Callable[[str], IO[bytes]]:
    return lambda _: io.BytesIO(b"content")
