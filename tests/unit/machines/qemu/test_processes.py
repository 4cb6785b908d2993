"""Which processes are ours, and that no other is touched."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from msgspec import structs

from outspread.machines.process_identity import start_time
from outspread.machines.qemu.processes import end_process, our_processes, process_of, qemu_process

Start = Callable[..., subprocess.Popen[bytes]]

NAME = ("-name", "guest=outspread-abc")
LOG = ("-chardev", "socket,id=serial0,fd=3,logfile=/state/a,,b/abc/serial.log,logappend=on")


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a process under a name, with arguments; it sleeps."""
    started = []

    def begin(name: str, *arguments: str) -> subprocess.Popen[bytes]:
        code = "import sys, time; print(flush=True); time.sleep(987)"
        process = subprocess.Popen([name, "-c", code, *arguments], executable=sys.executable, stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()  # it runs: its arguments are its own
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()
        process.communicate()


def test_ours_are_known_by_their_mark(start: Start) -> None:
    ours = start("qemu-system-x86_64", *NAME, *LOG)
    found = process_of("abc")
    assert found is not None
    assert (found.pid, found.machine_id, found.directory) == (ours.pid, "abc", Path("/state/a,b/abc"))
    assert process_of("ab") is None


def test_others_are_not_ours(start: Start) -> None:
    others = [
        start("qemu-system-x86_64", "-name", "guest=debian"),
        start("qemu-system-x86_64", *NAME),
        start("grep", *NAME, *LOG),
    ]
    assert {process.pid for process in our_processes()}.isdisjoint(other.pid for other in others)
    assert qemu_process(others[2].pid) is None
    assert qemu_process(os.getpid()) is None


def test_it_is_ended_unless_the_number_is_anothers_by_now(start: Start) -> None:
    ours = start("/usr/bin/qemu-system-x86_64", *NAME, *LOG)
    found = qemu_process(ours.pid)
    assert found is not None
    asyncio.run(end_process(structs.replace(found, started=found.started - 1)))
    assert start_time(ours.pid) == found.started
    asyncio.run(end_process(found))
    assert start_time(ours.pid) == 0
    ours.wait()
    asyncio.run(end_process(found))  # gone already
