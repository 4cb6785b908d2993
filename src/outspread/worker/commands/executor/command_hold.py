"""What holds the commands of a slot to their limits: control groups where there are any, resource limits where there are not."""

# pathlib takes 10 ms to import, half of what a start costs:
# ruff: noqa: PTH208

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from outspread.worker.commands.executor import messages
from outspread.worker.commands.executor.slot_group import SlotGroup

#: How much sooner than the slot a command is killed when memory runs out, on the kernel's scale of 1,000.
_EXPENDABLE = b"500"
_SIGXFSZ = 25
#: A shell that a signal of its command ends has this much more as its exit code.
_SHELL_SIGNALS = 128


class CommandHold:
    """The limits of the commands of one slot, one after another."""

    def __init__(self, group: SlotGroup) -> None:
        self._group = group
        self._oom_score = os.open("/proc/self/oom_score_adj", os.O_RDWR | os.O_CLOEXEC)
        self._own_score = os.pread(self._oom_score, 16, 0).strip()
        self._memory_bytes = self._processes = self._file_bytes = 0
        self._kills = self._refusals = 0  # before the command
        self._refusals_then: int | None = None  # when it was barred
        self._processes_before = -1  # of this user; -1: not counted yet

    def begin(self, memory_bytes: int, processes: int, file_bytes: int) -> None:
        """Set the limits of the next command; OSError when the kernel will not have them."""
        self._memory_bytes, self._processes, self._file_bytes = memory_bytes, processes, file_bytes
        self._group.set_limit("memory", memory_bytes)
        self._group.set_limit("pids", processes + 1 if processes else 0)  # this process is in the group, too
        self._kills, self._refusals = self._group.refused("memory"), self._group.refused("pids")
        self._refusals_then = None

    @contextmanager
    def spawning(self) -> Iterator[None]:
        """Let what is started be born with its limits, and be killed before this process when memory runs out."""
        own_limits = self._lower_own_limits()
        raised = int(self._own_score) < int(_EXPENDABLE)
        if raised:
            os.pwrite(self._oom_score, _EXPENDABLE, 0)
        try:
            yield
        finally:
            if raised:
                os.pwrite(self._oom_score, self._own_score, 0)
            for number, limits in own_limits:
                resource.setrlimit(number, limits)

    def spawned(self, pid: int) -> None:
        """Limit the memory of a process that has just begun, where there is no group for that.

        With such a limit of its own this process could start nothing: what the other has started already escapes it.
        """
        if self._memory_bytes and not self._group.has("memory"):
            with suppress(ProcessLookupError, PermissionError):  # it has ended, or become somebody else
                resource.prlimit(pid, resource.RLIMIT_AS, (self._memory_bytes, self._memory_bytes))

    def bar_processes(self) -> None:
        """Let the command start nothing more, so that what it has can be ended."""
        if self._refusals_then is None:
            self._refusals_then = self._group.refused("pids")
            self._group.bar_processes()

    def limit_met(self, *, exit_code: "int | None", signal: "int | None") -> str:
        """Return the ending, one of ``messages``, of a command that met a limit; "" when it did not.

        Who cannot start a process has not done all it was to do; a process that was killed may have been an attempt.
        """
        if (self._group.refused("pids") if self._refusals_then is None else self._refusals_then) > self._refusals:
            return messages.PROCESS_LIMIT
        if exit_code == 0:
            return ""
        if self._group.refused("memory") > self._kills:
            return messages.OUT_OF_MEMORY
        if self._file_bytes and (signal == _SIGXFSZ or exit_code == _SHELL_SIGNALS + _SIGXFSZ):
            return messages.DISK_LIMIT
        return ""

    def _lower_own_limits(self) -> "list[tuple[int, tuple[int, int]]]":
        """Set the limits that children inherit; return them as they were."""
        counted = self._processes and not self._group.has("pids") and os.getuid()  # the kernel does not count root's
        if not self._file_bytes and not counted:
            return []
        wanted = [(resource.RLIMIT_FSIZE, self._file_bytes)] if self._file_bytes else []
        if counted:
            wanted.append((resource.RLIMIT_NPROC, self._processes + self._count_before()))
        before = [(number, resource.getrlimit(number)) for number, _ in wanted]
        for (number, limit), (_, (_, hard)) in zip(wanted, before, strict=True):
            resource.setrlimit(number, (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard))
        return before

    def _count_before(self) -> int:
        """Return how many threads this user had when this was first asked: the kernel counts all of them."""
        if self._processes_before < 0:
            self._processes_before = sum(_threads_of(name, os.getuid()) for name in os.listdir("/proc") if name.isdigit())
        return self._processes_before


def _threads_of(pid: str, uid: int) -> int:
    try:
        if os.stat(f"/proc/{pid}").st_uid != uid:  # noqa: PTH116
            return 0
        return len(os.listdir(f"/proc/{pid}/task"))
    except OSError:  # it ended meanwhile
        return 0
