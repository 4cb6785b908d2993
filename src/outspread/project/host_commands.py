"""The commands of ``$(HOST:...)``: the contract, and the one door through which this room starts a process.

``ShellHostCommands`` runs them; ``no_host_commands`` leaves every reference as it stands, for a project whose references
were resolved elsewhere and for those who must not run anything.
"""

import math
import os
import select
import time
from pathlib import Path
from typing import Protocol

from outspread.project.errors import HostCommandError

_BASH = "/bin/bash"
_MOST_OUTPUT_BYTES = 16 * 1024 * 1024
_LOOK_EVERY_MS = 50


class HostCommands(Protocol):
    """Runs commands on the host of whoever starts a run."""

    def output_of(self, command: str) -> str:
        """Return what ``command`` prints, without the line breaks at its end; asked again, the same without running it.

        Raises HostCommandError with what it had to say when it fails.
        """
        ...


class ShellHostCommands:
    """Runs each command once, with bash, in the current directory and with the whole environment of this process."""

    def __init__(self, *, within_s: float = 120.0) -> None:
        self._within_s = within_s
        self._outputs: dict[str, str] = {}

    def output_of(self, command: str) -> str:
        output = self._outputs.get(command)
        if output is None:
            output = self._outputs[command] = _run(command, self._within_s)
        return output


class _NoHostCommands:
    """Puts each reference back where it was."""

    def output_of(self, command: str) -> str:
        return f"$(HOST:{command})"


no_host_commands: HostCommands = _NoHostCommands()


def _run(command: str, within_s: float) -> str:
    # Files in memory instead of pipes: nothing can fill up, and a process left in the background keeps nobody waiting.
    out, err = os.memfd_create("host-command-output"), os.memfd_create("host-command-errors")
    try:
        status = _wait(_spawn(command, out, err), out, err, within_s)
        if status:
            said = _content(err).strip()
            raise HostCommandError("; ".join(said.split("\n")) if said else _exit_text(status))
        return _content(out).rstrip("\n")
    finally:
        os.close(out)
        os.close(err)


def _spawn(command: str, out: int, err: int) -> int:
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_DUP2, out, 1),
        (os.POSIX_SPAWN_DUP2, err, 2),
    ]
    try:
        return os.posix_spawn(_BASH, [_BASH, "-c", command], os.environ, file_actions=actions)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise HostCommandError(f"cannot start {_BASH}: {reason}") from error


def _wait(pid: int, out: int, err: int, within_s: float) -> int:
    """Return the exit status as ``waitpid`` has it. Whoever takes too long, or says too much, is ended with its children."""
    deadline = time.monotonic() + within_s
    handle = os.pidfd_open(pid)
    ended = select.poll()
    ended.register(handle, select.POLLIN)
    try:
        while not ended.poll(_LOOK_EVERY_MS):
            _check_bounds(out, err, within_s, deadline)
    except BaseException:
        _kill_tree(pid)
        raise
    finally:
        os.close(handle)
        status = os.waitpid(pid, 0)[1]
    _check_bounds(out, err, within_s, deadline=math.inf)
    return status


def _check_bounds(out: int, err: int, within_s: float, deadline: float) -> None:
    if time.monotonic() > deadline:
        raise HostCommandError(f"did not end within {within_s:g} s", hint="nothing may wait for input in it")
    if max(os.fstat(out).st_size, os.fstat(err).st_size) > _MOST_OUTPUT_BYTES:
        raise HostCommandError(f"printed more than {_MOST_OUTPUT_BYTES // 1024**2} MiB")


def _kill_tree(pid: int) -> None:
    """End a process of ours and all that it started, itself first so that it starts no more."""
    from contextlib import suppress
    from signal import SIGKILL, SIGSTOP

    with suppress(ProcessLookupError):
        os.kill(pid, SIGSTOP)
    children: list[int] = []
    with suppress(FileNotFoundError):  # it has just ended
        children = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]
    for child in children:
        _kill_tree(child)
    with suppress(ProcessLookupError):
        os.kill(pid, SIGKILL)


def _content(file: int) -> str:
    return os.pread(file, _MOST_OUTPUT_BYTES + 1, 0).decode("utf-8", "surrogateescape")


def _exit_text(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    if code >= 0:
        return f"exit status {code}"
    from signal import strsignal

    return f"signal: {(strsignal(-code) or str(-code)).lower()}"
