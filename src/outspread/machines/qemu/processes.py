"""The QEMU processes of this user: which are ours, by the mark on their command lines, and how they are ended."""

import asyncio
import itertools
import os
import re
import signal
from pathlib import Path

from msgspec import Struct

from outspread.errors import InfrastructureError
from outspread.machines.process_identity import start_time
from outspread.machines.qemu.command_line import MARK

_GOES_WITHIN_S = 2.0
_DIES_WITHIN_S = 30.0
_PROGRAM = re.compile(rb"(?:.*/)?qemu-system-\w+")
_LOG = re.compile(r"(?:^|,)logfile=((?:[^,]|,,)*)/serial\.log(?:,|$)")


class QemuProcess(Struct, frozen=True):
    """A QEMU that runs, or ran when it was looked for. ``machine_id`` and ``directory`` are "" and None unless it is ours."""

    pid: int
    started: int
    arguments: tuple[str, ...]
    machine_id: str = ""
    directory: Path | None = None


def our_processes() -> list[QemuProcess]:
    """Return the QEMUs that were started for machines, by any process of this user."""
    numbers = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    return [found for found in map(qemu_process, numbers) if found is not None and found.machine_id]


def process_of(machine_id: str) -> QemuProcess | None:
    """Return the QEMU of a machine; None when it has ended."""
    return next((process for process in our_processes() if process.machine_id == machine_id), None)


def qemu_process(pid: int) -> QemuProcess | None:
    """Return what the process ``pid`` is if it is a QEMU of this user; else None."""
    started = start_time(pid)
    try:
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        owner = Path(f"/proc/{pid}").stat().st_uid
    except OSError:  # it ended meanwhile
        return None
    if not started or owner != os.getuid() or not _PROGRAM.fullmatch(arguments[0]):
        return None
    return _read(pid, started, tuple(map(os.fsdecode, arguments)))


def _read(pid: int, started: int, arguments: tuple[str, ...]) -> QemuProcess:
    values = dict(itertools.pairwise(arguments))
    name = values.get("-name", "")
    logs = [found[1] for found in map(_LOG.search, arguments) if found]
    if not name.startswith(f"guest={MARK}") or not logs:
        return QemuProcess(pid, started, arguments)
    return QemuProcess(pid, started, arguments, name.removeprefix(f"guest={MARK}"), Path(logs[0].replace(",,", ",")))


async def end_process(process: QemuProcess) -> None:
    """End the process, if it still is the one that was found. Raises InfrastructureError when it does not die."""
    try:
        pidfd = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return
    try:
        # only now: the descriptor stays with the process that had the id when it was opened
        if start_time(process.pid) != process.started:
            return
        for number, within_s in ((signal.SIGTERM, _GOES_WITHIN_S), (signal.SIGKILL, _DIES_WITHIN_S)):
            try:
                signal.pidfd_send_signal(pidfd, number)
            except ProcessLookupError:
                return
            if await _ends(pidfd, within_s):
                return
    finally:
        os.close(pidfd)
    raise InfrastructureError(f"cannot end QEMU, process {process.pid}: it is still there {_DIES_WITHIN_S:g} s after SIGKILL")


async def _ends(pidfd: int, within_s: float) -> bool:
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_reader(pidfd, ended.set)
    try:
        async with asyncio.timeout(within_s):
            await ended.wait()
    except TimeoutError:
        return False
    finally:
        loop.remove_reader(pidfd)
    return True
