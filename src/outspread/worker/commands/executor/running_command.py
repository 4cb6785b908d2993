"""One command from its start to its end, of the slot that runs it.

Ends when its main process does: what else it has started may take a moment longer, and is killed then. Nobody waits for a pipe
that somebody else has inherited.
"""

# pathlib takes 10 ms to import, half of what a start costs:
# ruff: noqa: PTH102, PTH106

import os
import time

from outspread.worker.commands.executor import messages
from outspread.worker.commands.executor.command_hold import CommandHold
from outspread.worker.commands.executor.descendants import descendants, is_uninterruptible, signal_all
from outspread.worker.commands.executor.frames import Message
from outspread.worker.commands.executor.log_capture import LogCapture

_SIGKILL, _SIGTERM, _SIGCONT = 9, 15, 18
#: What Python sets to "ignore"; commands begin with the defaults.
_DEFAULT_SIGNALS = (1, 2, 3, 13, 15, 25)

#: How long processes may go on after the main one.
_LINGER_S = 0.5
#: Between two attempts to kill what is there: it may start more meanwhile.
_KILL_AGAIN_S = 0.02
#: A process that lives on for so long after KILL cannot be ended.
_STUCK_S = 5.0
#: A command that takes longer is said to have begun.
_MOMENT_S = 0.03
#: What is printed is passed on within so much time, or by so much.
_PASS_ON_S = 0.1
_PASS_ON_BYTES = 64 * 1024

_READ_BYTES = 64 * 1024
_READS_AT_ONCE = 16
#: A program that was written a moment ago may still be open in a child of whoever wrote it.
_BUSY_TRIES = 20
_BUSY_WAIT_S = 0.01
_ENOMEM, _EAGAIN, _EMFILE, _ENFILE, _EIO, _ENOENT, _ETXTBSY, _ENOTDIR = 12, 11, 24, 23, 5, 2, 26, 20
_OF_THE_MACHINE = (_ENOMEM, _EAGAIN, _EMFILE, _ENFILE, _EIO, _ETXTBSY)
_NEVER = float("inf")


class Order:
    """A command as it was ordered."""

    __slots__ = (
        "argv", "deadline", "directory", "environment", "file_bytes", "grace_s", "make", "memory_bytes", "processes", "timeout_s",
        "token",
    )  # fmt: skip

    def __init__(self, message: Message) -> None:
        self.token: int
        self.argv: tuple[str, ...]
        self.environment: dict[bytes, bytes]
        self.directory: str
        self.make: bool
        self.timeout_s: float
        self.grace_s: float
        self.deadline: float
        self.memory_bytes: int
        self.processes: int
        self.file_bytes: int
        (
            _, self.token, self.argv, self.environment, self.directory, self.make, self.timeout_s, self.grace_s, self.deadline,
            (self.memory_bytes, self.processes, self.file_bytes),
        ) = message  # fmt: skip


class RunningCommand:
    """The command that a slot runs. ``said`` gathers what the worker is to be told."""

    def __init__(self, order: Order, base: "dict[bytes, bytes]", hold: CommandHold, said: list[Message]) -> None:
        self.order = order
        self.deadline = order.deadline
        self.pipe = -1
        self.is_over = False
        self.stuck = 0  # a process that does not go
        self.was_stuck = False
        self._said = said
        self._hold = hold
        self._log = LogCapture()
        self._status: int | None = None  # of the main process
        self._took_s = 0.0
        self._ending = messages.EXITED
        self._remark = ""
        self._kill_at = _NEVER
        self._killed_at = _NEVER
        self._pass_on_at = _NEVER
        self._begun_at = _NEVER
        self._timeout_at = _NEVER
        self.pid = 0
        self._began = time.monotonic()
        try:
            if order.make:
                os.mkdir(order.directory, 0o700)
            os.chdir(order.directory)
            hold.begin(order.memory_bytes, order.processes, order.file_bytes)
            self._spawn(base)
        except OSError as error:
            self._fail(error.errno or 0, error.strerror or "")
            return
        except (ValueError, IndexError) as error:  # no command at all, a NUL in it, a variable with "=" in its name
            self._fail(0, str(error))
            return
        self._begun_at = self._began + _MOMENT_S
        if order.timeout_s:
            self._timeout_at = self._began + order.timeout_s

    def _spawn(self, base: "dict[bytes, bytes]") -> None:
        order = self.order
        environment = {**base, **order.environment} if order.environment else base
        os.environb[b"PATH"] = environment.get(b"PATH", os.defpath.encode())  # posix_spawnp looks there
        self.pipe, end = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            os.set_blocking(end, True)
            actions = [
                (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, end, 1),
                (os.POSIX_SPAWN_DUP2, end, 2),
            ]
            tries_left = _BUSY_TRIES
            with self._hold.spawning():
                while not self.pid:
                    try:
                        self.pid = os.posix_spawnp(
                            order.argv[0],
                            order.argv,
                            environment,
                            file_actions=actions,
                            setsid=True,
                            setsigmask=(),
                            setsigdef=_DEFAULT_SIGNALS,
                        )
                    except OSError as error:
                        if error.errno != _ETXTBSY or not tries_left:
                            raise
                        tries_left -= 1
                        time.sleep(_BUSY_WAIT_S)
            self._hold.spawned(self.pid)
        finally:
            os.close(end)

    def _fail(self, number: int, why: str) -> None:
        """End before it began."""
        if number in _OF_THE_MACHINE or not os.path.isdir(self.order.directory):  # noqa: PTH112
            self._ending = messages.UNSPAWNABLE
        else:
            self._ending = messages.UNSTARTABLE
            self._status = (127 if number in (_ENOENT, _ENOTDIR) else 126) << 8
        self._remark = f"cannot start {' '.join(self.order.argv[:1])!r}: {why}"
        self._finish()

    # --- what happens to it ---

    def read(self) -> None:
        """Take what it has printed."""
        for _ in range(_READS_AT_ONCE):
            try:
                data = os.read(self.pipe, _READ_BYTES)
            except BlockingIOError:
                break
            if not data:
                self._close_pipe()
                break
            self._log.add(data)
            if len(data) < _READ_BYTES:
                break
        if self._log.pending_bytes and self._pass_on_at == _NEVER:
            self._pass_on_at = time.monotonic() + _PASS_ON_S

    def child_ended(self, pid: int, status: int, *, now: float) -> None:
        """Take the end of a child, be it an adopted one."""
        if pid != self.pid:
            return
        self._status = status
        self._took_s = now - self._began
        self._timeout_at = _NEVER
        if self._killed_at == _NEVER:
            self._kill_at = min(self._kill_at, now + _LINGER_S)

    def all_ended(self) -> None:
        """Nothing of it is left."""
        if not self.is_over:
            self._finish()
        elif self.stuck:
            self.stuck = 0

    def stop(self, *, gently: bool) -> None:
        """End it."""
        if self._status is None and self._ending == messages.EXITED:
            self._ending = messages.STOPPED
        if gently:
            self._terminate(time.monotonic())
        else:
            self._kill(time.monotonic())

    # --- the passing of time ---

    def next_at(self) -> float:
        """Return when to call ``tick``."""
        return min(self._kill_at, self._pass_on_at, self._begun_at, self._timeout_at, self.deadline)

    def tick(self, now: float) -> None:
        """Do what is due."""
        if now >= self._begun_at:
            self._begun_at = _NEVER
            self._said.append((messages.BEGUN, self.order.token))
        if now >= self._pass_on_at or self._log.pending_bytes >= _PASS_ON_BYTES:
            self._pass_on_at = _NEVER
            self._said.append((messages.PIECE, self.order.token, 0, self._log.take()))
        if now >= self.deadline:
            self.deadline = _NEVER
            if self._status is None:
                self._ending = messages.LAPSED
            self._kill(now)
        if now >= self._timeout_at:
            self._timeout_at = _NEVER
            if self._ending == messages.EXITED:
                self._ending = messages.TIMED_OUT
            self._terminate(now)
        if now >= self._kill_at:
            self._kill(now)

    def _terminate(self, now: float) -> None:
        if self._kill_at == _NEVER:
            self._kill_at = now + self.order.grace_s
            below = descendants(os.getpid())
            signal_all(below, _SIGTERM)
            signal_all(below, _SIGCONT)  # one that has stopped itself is to hear of it, too

    def _kill(self, now: float) -> None:
        self._hold.bar_processes()
        below = descendants(os.getpid())
        if self._status is not None and self._killed_at == _NEVER and below:
            self._remark = f"{len(below)} {'process' if len(below) == 1 else 'processes'} it had left behind had to be killed"
        signal_all(below, _SIGKILL)
        self._killed_at = min(self._killed_at, now)
        self._kill_at = now + _KILL_AGAIN_S
        if below and now - self._killed_at > _STUCK_S:
            self._give_up(below, now)

    def _give_up(self, below: "list[int]", now: float) -> None:
        self.stuck = below[0]
        self.was_stuck = True
        kind = "in uninterruptible sleep" if any(map(is_uninterruptible, below)) else "still there"
        self._remark = f"process {below[0]} was killed and is {kind}"
        if self._status is None:
            self._took_s = now - self._began
        self._said.append((messages.STUCK, self.stuck))
        self._finish()

    def _finish(self) -> None:
        self.is_over = True
        self._kill_at = self._pass_on_at = self._begun_at = self._timeout_at = self.deadline = _NEVER
        if self.pipe >= 0:
            self.read()  # what is in the pipe by now; others may hold it open for ever
            self._pass_on_at = _NEVER
            self._close_pipe()
        token = self.order.token
        self._said += [(messages.PIECE, token, skipped, data) for skipped, data in self._log.finish()]
        code = number = None
        if self._status is not None:
            exit_code = os.waitstatus_to_exitcode(self._status)
            code, number = (exit_code, None) if exit_code >= 0 else (None, -exit_code)
        if self._ending == messages.EXITED:
            self._ending = self._hold.limit_met(exit_code=code, signal=number) or messages.EXITED
        self._said.append(
            (messages.ENDED, token, self._ending, code, number, self._took_s, self._remark, self._remove_directory())
        )

    def _remove_directory(self) -> bool:
        """Remove the directory if it was made here and is as empty as it was."""
        if not self.order.make:
            return False
        os.chdir("/")
        try:
            os.rmdir(self.order.directory)
        except FileNotFoundError:
            return True
        except OSError:  # there is something in it
            return False
        return True

    def _close_pipe(self) -> None:
        if self.pipe >= 0:
            os.close(self.pipe)
            self.pipe = -1
