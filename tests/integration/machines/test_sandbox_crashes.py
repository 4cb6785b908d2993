"""Whatever dies, nothing of a sandbox is left."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from outspread.machines.contract import Machine, MachineRequest
from outspread.machines.sandbox.backend import SandboxBackend

NewRequest = Callable[..., MachineRequest]
ProcessesOf = Callable[[str], list[int]]
ControlGroups = Callable[[str | int], list[Path]]

CLIENT = Path(__file__).with_name("sandbox_client.py")


@contextmanager
def client(request: MachineRequest) -> Iterator[tuple["subprocess.Popen[str]", Machine]]:
    """Have another process allocate a sandbox, in which a script runs that tries to outlive everything."""
    script = "trap '' TERM HUP INT; (setsid sleep 987 &); echo up; while :; do sleep 987; done"
    argv = [sys.executable, str(CLIENT), msgspec.json.encode(request).decode(), script]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            machine = None
            for line in process.stdout:
                word, _, text = line.partition(" ")
                if word == "machine":
                    machine = msgspec.json.decode(text, type=Machine)
                if word == "output":
                    break
            assert machine is not None
            yield process, machine
        finally:
            process.kill()


def wait_until(fact: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not fact():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_killed_client_takes_its_sandbox_along(
    new_request: NewRequest, mark: str, processes_of: ProcessesOf, control_groups: ControlGroups
) -> None:
    with client(new_request()) as (process, machine):
        assert len(processes_of(machine.machine_id)) > 2
        process.kill()
        process.wait()
        keeper = machine.data["keeper"]
        wait_until(lambda: not processes_of(f"machine_id={mark}") and not control_groups(keeper))


def test_a_killed_keeper_takes_its_sandbox_along(new_request: NewRequest, mark: str, processes_of: ProcessesOf) -> None:
    with client(new_request()) as (_, machine):
        os.kill(int(machine.data["keeper"]), signal.SIGKILL)
        wait_until(lambda: not processes_of(f"machine_id={mark}"))


def test_what_nobody_could_remove_is_swept_at_the_next_allocation(
    new_request: NewRequest, mark: str, processes_of: ProcessesOf, control_groups: ControlGroups
) -> None:
    with client(new_request()) as (process, machine):
        keeper = int(machine.data["keeper"])
        had_groups = bool(control_groups(keeper))
        os.kill(process.pid, signal.SIGSTOP)  # so that neither outlives the other
        os.kill(keeper, signal.SIGKILL)
        process.kill()
        process.wait()
        wait_until(lambda: not processes_of(f"machine_id={mark}"))
        if not had_groups:
            pytest.skip("no control group can be made here, so none can be left")
        assert control_groups(keeper)

    async def allocate_and_discard() -> None:
        backend = SandboxBackend()
        await backend.discard(await backend.allocate(new_request(), lambda _text: None))

    asyncio.run(allocate_and_discard())
    assert control_groups(keeper) == []


def test_another_process_sees_and_discards_it(
    new_request: NewRequest, mark: str, processes_of: ProcessesOf, control_groups: ControlGroups
) -> None:
    async def discard_from_here(machine: Machine) -> None:
        backend = SandboxBackend()
        assert machine in await backend.existing()
        await backend.discard(machine)
        assert machine not in await backend.existing()

    with client(new_request()) as (process, machine):
        asyncio.run(discard_from_here(machine))
        assert process.wait() != 0  # its machine was lost
        assert not processes_of(f"keeper\0machine_id={mark}")
        assert control_groups(machine.data["keeper"]) == []


def test_a_machine_whose_first_process_ends_is_gone_whole(
    new_request: NewRequest, mark: str, processes_of: ProcessesOf, control_groups: ControlGroups
) -> None:
    with client(new_request()) as (_, machine):
        keeper = int(machine.data["keeper"])
        agents = [pid for pid in processes_of(f"machine_id={mark}") if pid != keeper and "sandbox_client" not in cmdline(pid)]
        os.kill(max(agents), signal.SIGKILL)
        wait_until(lambda: not processes_of(f"machine_id={mark}") and not control_groups(keeper))


def cmdline(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text()
