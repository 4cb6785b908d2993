"""The process that spawns commands: whatever is killed, nothing goes on behind anybody's back."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from outspread.worker.commands.command_executor import CommandExecutor
from outspread.worker.commands.executor import messages
from outspread.worker.commands.executor.descendants import descendants
from outspread.worker.commands.executor.frames import Message

#: As much as a promise about a killed worker allows.
GONE_WITHIN_S = 5.0

WORKER = """
import asyncio, os, sys, time
from outspread.worker.commands.command_executor import CommandExecutor

async def main():
    executor = CommandExecutor(dict(os.environ))
    slot = executor.open_slot(0, lambda messages: None)
    script = "setsid sleep 1000 & (sleep 1000 &); exec sleep 1000"
    slot.send([("run", 1, ("sh", "-c", script), {}, sys.argv[1], False, 0.0, 5.0, time.monotonic() + 1000, (0, 0, 0))])
    await asyncio.sleep(1000)

asyncio.run(main())
"""


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def until(condition: Callable[[], object], within_s: float = 20.0) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process with an executor, a slot in it, and a command that has left children in sessions of their own."""
    process = subprocess.Popen([sys.executable, "-c", WORKER, str(tmp_path)])
    yield process
    process.kill()
    process.wait()


def sleeps_below(pid: int) -> list[int]:
    found = []
    for below in descendants(pid):
        with contextlib.suppress(OSError):  # the shells between us and them end while we look
            if Path(f"/proc/{below}/comm").read_text() == "sleep\n":
                found.append(below)
    return found


@pytest.mark.parametrize("victim", ["worker", "supervisor", "slot"])
def test_commands_do_not_outlive_who_runs_them(worker: subprocess.Popen[bytes], victim: str) -> None:
    until(lambda: len(sleeps_below(worker.pid)) == 3)
    all_below = descendants(worker.pid)
    pid = {"worker": worker.pid, "supervisor": all_below[0], "slot": all_below[1]}[victim]
    sleeps = sleeps_below(worker.pid)
    os.kill(pid, signal.SIGKILL)
    until(lambda: not any(map(alive, sleeps)), GONE_WITHIN_S)
    if victim != "slot":
        until(lambda: not any(alive(below) for below in all_below), GONE_WITHIN_S)


def test_a_frozen_worker_loses_its_commands_at_the_end_of_their_lease(tmp_path: Path) -> None:
    ended: list[Message] = []

    async def main() -> None:
        executor = CommandExecutor(dict(os.environ))
        try:
            heard = asyncio.Event()

            def hear(said: Sequence[Message]) -> None:
                ended.extend(message for message in said if message[0] == messages.ENDED)
                heard.set()

            slot = executor.open_slot(0, hear)
            began = time.monotonic()
            slot.send([(messages.RUN, 1, ("sleep", "60"), {}, str(tmp_path), False, 0.0, 5.0, began + 0.5, (0, 0, 0))])
            time.sleep(1.0)
            async with asyncio.timeout(5):
                while not ended:
                    heard.clear()
                    await heard.wait()
            slot.close()
        finally:
            await executor.close()

    asyncio.run(main())
    ((_, _, ending, code, number, run_s, _, _),) = ended
    assert (ending, code, number) == (messages.LAPSED, None, signal.SIGKILL)
    assert 0.4 < run_s < 0.8


def test_no_control_group_is_left(worker: subprocess.Popen[bytes]) -> None:
    until(lambda: len(sleeps_below(worker.pid)) == 3)
    supervisor = descendants(worker.pid)[0]
    worker.kill()
    until(lambda: not alive(supervisor))
    assert list(Path("/sys/fs/cgroup").glob(f"**/outspread-slot-{supervisor}-*")) == []
