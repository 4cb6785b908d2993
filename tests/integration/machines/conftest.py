"""A sandbox for tests that look at one from the inside, and the check that nothing of it is left."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.sandbox_requests import MakeRequest, control_groups_of, new_mark, processes_with, sandbox_requests

from outspread.machines.contract import Machine, MachineRequest, ScriptEnd, Shell
from outspread.machines.sandbox.backend import SandboxBackend

Run = Callable[[str], Coroutine[Any, Any, tuple[ScriptEnd, str]]]


@pytest.fixture
def mark() -> str:
    """What the ids of this test's machines begin with."""
    return new_mark()


@pytest.fixture
def processes_of() -> Callable[[str], list[int]]:
    """Find the keepers and agents whose command lines hold a mark."""
    return lambda mark: list(processes_with(mark, environment=False))


@pytest.fixture
def control_groups() -> Callable[[str | int], list[Path]]:
    """Find the control groups that a keeper made."""
    return control_groups_of


@pytest.fixture
def new_request(tmp_path: Path, mark: str) -> Iterator[MakeRequest]:
    """Make requests for sandboxes; fail if anything of one is left when the test is over."""
    with sandbox_requests(tmp_path, mark) as make:
        yield make


@pytest.fixture
def in_sandbox(new_request: Callable[..., MachineRequest]) -> Callable[..., list[str]]:
    """Run scripts one after the other in a new sandbox; return what each said, or how it ended if it said nothing."""

    def run(
        *scripts: str, kill_after_s: float = 30, progress: Callable[[str], None] = lambda _text: None, **asked: Any
    ) -> list[str]:
        async def one(shell: Shell, script: str) -> str:
            said: list[bytes] = []
            end = await shell.run(script.encode(), output=said.append, kill_after_s=kill_after_s)
            text = b"".join(said).decode(errors="replace").strip()
            return text or f"{'timed out, ' if end.timed_out else ''}exit {end.exit_code}, signal {end.signal}"

        async def main() -> list[str]:
            backend = SandboxBackend()
            machine: Machine = await backend.allocate(new_request(**asked), progress)
            try:
                shell = await backend.connect(machine)
                return [await one(shell, script) for script in scripts]
            finally:
                await backend.discard(machine)

        return asyncio.run(main())

    return run
