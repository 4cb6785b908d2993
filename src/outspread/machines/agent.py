"""The agent: the one process per machine that carries its scripts, so that none of them pays for a channel or a login shell.

It serves framed requests over one stream, one command at a time. This file runs on the machine: it needs the standard
library only, stays readable to Python 3.8, and imports little, so that it starts within milliseconds.

Two processes share the work. The *top* process forks a *worker* and reaps what becomes an orphan. The worker serves the
stream; as a child subreaper it adopts whatever its command lets loose (other sessions, double forks), so that the whole tree
can be found and ended. A command that leaves processes behind keeps them: the worker then makes room for a fresh one, and the
next command's tree has none of the older processes in it.

Frames are ``kind (1 byte), length (4 bytes, big endian), payload``. Their kinds and payloads are below; ``agent_connection``
is the other end.
"""

# pathlib takes 10 ms to import, half of what a start costs:
# ruff: noqa: PTH123, PTH208

from __future__ import annotations

import ctypes
import fcntl
import os
import select
import sys
import termios
import time

TYPE_CHECKING = False  # typing itself costs 5 ms
if TYPE_CHECKING:
    from collections.abc import Callable

#: To the agent: run a command. ``limit in ms (8), flags (1), length of argv (4), argv joined by NUL, bytes for stdin``.
#: With ON_TERMINAL the bytes are the size of its terminal, as in WINDOW, and what it finds as descriptor 3.
RUN = b"R"
#: To the agent: a piece of standard input, for RUN with STREAMED_INPUT or ON_TERMINAL; an empty one ends the former's.
INPUT = b"I"
#: To the agent: the terminal of the command has another size. ``rows (2), columns (2)``.
WINDOW = b"W"
#: To the agent: end the command and everything it started.
KILL = b"K"

#: From the agent: it serves. Payload: nothing.
READY = b"B"
#: From the agent: pieces of what the command wrote (ERRORS only with SEPARATE_ERRORS).
OUTPUT = b"O"
ERRORS = b"E"
#: From the agent: so many bytes (8) of INPUT have gone into the command; at most WINDOW_BYTES may be on their way.
TAKEN = b"T"
#: From the agent: the command is over. ``how (1: one of the END_ letters), exit code or signal (1), survivors (4)``.
END = b"X"
#: From the agent: the command could not be started. Payload: why, as text.
REFUSED = b"N"
#: From the agent: it cannot go on. Payload: why, as text.
BROKEN = b"F"

END_EXIT = b"e"
END_SIGNAL = b"s"
END_TIMED_OUT = b"t"
END_KILLED = b"k"

STREAMED_INPUT = 1
SEPARATE_ERRORS = 2
#: The command gets a terminal of its own, which is its standard input and output.
ON_TERMINAL = 4

WINDOW_BYTES = 2 * 1024 * 1024
#: How much may be taken before that is told; what is taken last is told at once.
TAKEN_EVERY_BYTES = 256 * 1024
LARGEST_FRAME_BYTES = 256 * 1024 * 1024

PIECE_BYTES = 64 * 1024
#: How long output waits for more, or for the end of its command, to go with it; so much of it does not wait.
GATHER_S = 0.002
GATHER_BYTES = 16 * 1024
#: How long what is left behind may still write once the command itself is over (``exec > >(tee log)``).
GRACE_S = 0.2
#: How much of it is taken, over what a pipe holds.
GRACE_BYTES = 1024 * 1024
#: How long the processes of a killed command may take to go before they are reported as survivors.
KILL_WITHIN_S = 10.0
#: How often orphans that died are reaped while a command runs.
REAP_EVERY_S = 1.0

# Numbers, since importing signal costs 5 ms for its enumerations.
_SIGHUP, _SIGINT, _SIGQUIT, _SIGKILL, _SIGPIPE, _SIGTERM, _SIGSTOP, _SIGXFSZ = 1, 2, 3, 9, 13, 15, 19, 25
#: What a command finds not ignored, whatever we or whoever started us ignore.
_DEFAULT_SIGNALS = (_SIGHUP, _SIGINT, _SIGQUIT, _SIGPIPE, _SIGTERM, _SIGXFSZ)
_PR_SET_NAME = 15
_PR_SET_CHILD_SUBREAPER = 36
_SYS_PIDFD_OPEN = 434
_F_SETPIPE_SZ = 1031
_PIPE_BYTES = 1024 * 1024

_NEVER = float("inf")

_WORKER_DONE, _WORKER_RETIRES, _WORKER_BROKE = 0, 3, 4


class StreamClosedError(Exception):
    """The other end of the stream is gone."""


class FrameReader:
    """Takes whole frames off a non-blocking stream, never a byte more: a successor finds the stream at a frame's start."""

    def __init__(self, stream: int) -> None:
        self._stream = stream
        self._wanted = 5
        self._buffer = bytearray()
        self._in_header = True
        self._kind = b""

    def next(self) -> tuple[bytes, bytes] | None:
        """Return the next frame, or None when it is not all there yet."""
        while True:
            if len(self._buffer) < self._wanted:
                try:
                    piece = os.read(self._stream, min(self._wanted - len(self._buffer), 1024 * 1024))
                except BlockingIOError:
                    return None
                except OSError as error:
                    raise StreamClosedError from error
                if not piece:
                    raise StreamClosedError
                self._buffer += piece
                continue
            taken, self._buffer = bytes(self._buffer), bytearray()
            if self._in_header:
                self._kind, self._wanted = taken[:1], int.from_bytes(taken[1:], "big")
                if self._wanted > LARGEST_FRAME_BYTES:
                    raise StreamClosedError
                self._in_header = False
            else:
                self._wanted, self._in_header = 5, True
                return self._kind, taken

    @property
    def is_inside_frame(self) -> bool:
        """Whether a part of the next frame is taken already."""
        return bool(self._buffer) or not self._in_header


def frame(kind: bytes, payload: bytes = b"") -> bytes:
    """Return the bytes of one frame."""
    return kind + len(payload).to_bytes(4, "big") + payload


class Outbox:
    """What is on its way to the other end; kept small by whoever fills it. True while the stream takes no more."""

    def __init__(self, stream: int) -> None:
        self._stream = stream
        self._bytes = bytearray()
        self._is_stuck = False
        self.due = _NEVER  # when what is gathered is to be sent, by the monotonic clock

    def __bool__(self) -> bool:
        return self._is_stuck

    def put(self, kind: bytes, payload: bytes = b"") -> None:
        """Send a frame after all that is gathered, as far as the stream takes it now."""
        self._bytes += frame(kind, payload)
        self.flush()

    def gather(self, kind: bytes, payload: bytes) -> None:
        """Send a frame soon, with what follows it."""
        self._bytes += frame(kind, payload)
        if len(self._bytes) >= GATHER_BYTES:
            self.flush()
        elif self.due == _NEVER:
            self.due = time.monotonic() + GATHER_S

    def flush(self) -> None:
        """Send on."""
        self.due = _NEVER
        while self._bytes:
            try:
                sent = os.write(self._stream, self._bytes)
            except BlockingIOError:
                self._is_stuck = True
                return
            except OSError as error:
                raise StreamClosedError from error
            del self._bytes[:sent]
        self._is_stuck = False


class Command:
    """One command, from its start until nothing is left to say about it."""

    def __init__(self, request: bytes, environment: dict[bytes, bytes], reader: FrameReader, stream: int) -> None:
        """Start it. Raises OSError when it cannot be started."""
        limit_s = int.from_bytes(request[:8], "big") / 1000
        flags = request[8]
        argv_end = 13 + int.from_bytes(request[9:13], "big")
        argv = request[13:argv_end].split(b"\0")

        self._reader = reader
        self._stream = stream
        self._outbox = Outbox(stream)
        self._input = bytearray()
        self._input_ended = False
        self._taken = 0  # of the input, and not told yet
        self._input_pipe = -1
        self._outputs = {}  # type: dict[int, bytes]
        self._terminal = -1  # our end of it; it is the one output, too
        self._pidfd = -1
        start = self._spawn_on_terminal if flags & ON_TERMINAL else self._spawn
        try:
            self._pid = start(argv, request[argv_end:], flags, environment)
        except BaseException:
            self._close_input()
            for pipe in self._outputs:
                os.close(pipe)
            raise
        self._deadline = time.monotonic() + limit_s
        self._pidfd = pidfd_open(self._pid)
        self._status = None  # type: int | None
        self._ended_by = b""
        self._survivors = 0
        self._grace_ends = 0.0
        self._grace_bytes = GRACE_BYTES

    def _spawn(self, argv: list[bytes], script: bytes, flags: int, environment: dict[bytes, bytes]) -> int:
        theirs = []
        try:
            if flags & STREAMED_INPUT:
                stdin, self._input_pipe = os.pipe()
                os.set_blocking(self._input_pipe, False)
                _widen(self._input_pipe)
            else:
                stdin = _file_of(script)
            theirs.append(stdin)
            stdout = stderr = self._output_pipe(OUTPUT)
            theirs.append(stdout)
            if flags & SEPARATE_ERRORS:
                stderr = self._output_pipe(ERRORS)
                theirs.append(stderr)
            return os.posix_spawn(
                argv[0],
                argv,
                environment,
                file_actions=[(os.POSIX_SPAWN_DUP2, fd, n) for n, fd in enumerate((stdin, stdout, stderr))],
                setsid=True,
                setsigmask=(),
                setsigdef=_DEFAULT_SIGNALS,
            )
        finally:
            for fd in theirs:
                os.close(fd)

    def _spawn_on_terminal(self, argv: list[bytes], request: bytes, flags: int, environment: dict[bytes, bytes]) -> int:
        self._terminal, theirs = os.openpty()
        self._outputs[self._terminal] = OUTPUT
        os.set_blocking(self._terminal, False)
        self._input_pipe = os.dup(self._terminal)  # closed apart from the output, as pipes are
        prepared = -1
        try:
            self._set_window(request[:4])
            prepared = _file_of(request[4:])
            return os.posix_spawn(
                argv[0],
                argv,
                environment,
                file_actions=[
                    # a session's leader that opens a terminal is controlled by it
                    (os.POSIX_SPAWN_OPEN, 0, os.ttyname(theirs), os.O_RDWR, 0),
                    (os.POSIX_SPAWN_DUP2, 0, 1),
                    (os.POSIX_SPAWN_DUP2, 0, 2),
                    (os.POSIX_SPAWN_DUP2, prepared, 3),
                ],
                setsid=True,
                setsigmask=(),
                setsigdef=_DEFAULT_SIGNALS,
            )
        finally:
            os.close(theirs)
            if prepared >= 0:
                os.close(prepared)

    def _set_window(self, size: bytes) -> None:
        """Give the terminal a size, upon which the kernel tells those who use it."""
        rows, columns = (int.from_bytes(number, "big").to_bytes(2, sys.byteorder) for number in (size[:2], size[2:4]))
        fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, rows + columns + bytes(4))

    def _output_pipe(self, kind: bytes) -> int:
        ours, theirs = os.pipe()
        os.set_blocking(ours, False)
        self._outputs[ours] = kind
        return theirs

    def carry(self) -> bool:
        """See the command through to its END frame. Return whether it left processes behind."""
        try:
            while not self._is_over():
                self._wait()
        except StreamClosedError:
            self._end_tree()
            raise
        how, value = self._verdict()
        left_behind = self._reap() and not self._ended_by
        self._outbox.put(END, how + bytes((value,)) + self._survivors.to_bytes(4, "big"))
        self._flush_all()
        os.close(self._pidfd)
        self._close_input()
        if left_behind and self._outputs:
            _drain_in_background(self._outputs, self._stream)
        for pipe in self._outputs:
            os.close(pipe)
        return left_behind

    def _is_over(self) -> bool:
        if self._status is None or self._outbox:
            return False
        return not self._outputs or self._grace_bytes <= 0 or self._grace_ends == -1

    def _wait(self) -> None:
        """Wait for one round of news and deal with it."""
        now = time.monotonic()
        if self._status is None:
            if now >= self._deadline:
                self._end_tree(END_TIMED_OUT)
                return
            wait_s = min(self._deadline - now, REAP_EVERY_S)
        else:
            wait_s = max(self._grace_ends - now, 0)
        poll = select.poll()
        poll.register(self._stream, select.POLLIN | (select.POLLOUT if self._outbox else 0))
        if self._status is None:
            poll.register(self._pidfd, select.POLLIN)
        if self._input:
            poll.register(self._input_pipe, select.POLLOUT)
        if not self._outbox:  # a slow reader holds the command back, not us
            for pipe in self._outputs:
                poll.register(pipe, select.POLLIN)
        elif self._status is not None:
            wait_s = REAP_EVERY_S
        ready = poll.poll(max(min(wait_s, self._outbox.due - now), 0) * 1000)
        if time.monotonic() >= self._outbox.due:
            self._outbox.flush()
        elif not ready:
            self._reap()
            if self._status is not None and not self._outbox and time.monotonic() >= self._grace_ends:
                self._grace_ends = -1
            return
        for fd, _events in ready:
            self._attend(fd)

    def _attend(self, fd: int) -> None:
        if fd == self._stream:
            self._outbox.flush()
            self._take_frames()
        elif fd == self._pidfd:
            self._reap()
        elif fd == self._input_pipe:
            self._feed()
        elif fd in self._outputs:
            self._take_output(fd)

    def _take_frames(self) -> None:
        while True:
            got = self._reader.next()
            if got is None:
                return
            kind, payload = got
            if kind == KILL:
                self._end_tree(END_KILLED)
            elif kind == INPUT and self._input_pipe >= 0:
                if payload:
                    self._input += payload
                else:
                    self._input_ended = True
                self._feed()
            elif kind == WINDOW and self._terminal in self._outputs:
                self._set_window(payload)

    def _feed(self) -> None:
        """Give the command what input there is; a command that does not want it any more ends the matter."""
        try:
            while self._input:
                sent = os.write(self._input_pipe, self._input)
                self._taken += sent
                del self._input[:sent]
        except BlockingIOError:
            pass
        except OSError:
            self._taken += len(self._input)
            self._close_input()
        if self._taken and (self._taken >= TAKEN_EVERY_BYTES or not self._input):
            self._outbox.put(TAKEN, self._taken.to_bytes(8, "big"))
            self._taken = 0
        if self._input_ended and not self._input:
            self._close_input()

    def _close_input(self) -> None:
        if self._input_pipe >= 0:
            os.close(self._input_pipe)
        self._input_pipe = -1
        self._input.clear()

    def _take_output(self, pipe: int) -> None:
        if self._outbox:
            return
        try:
            piece = os.read(pipe, PIECE_BYTES)
        except BlockingIOError:
            return
        except OSError:
            if pipe != self._terminal:
                raise
            piece = b""  # nobody has the terminal open any more
        if not piece:
            os.close(pipe)
            del self._outputs[pipe]
            return
        if self._terminal < 0:
            self._outbox.gather(self._outputs[pipe], piece)
        else:  # somebody types, and waits to see it
            self._outbox.put(self._outputs[pipe], piece)
        if self._status is not None:
            self._grace_bytes -= len(piece)

    def _reap(self) -> bool:
        """Collect every child that died. Return whether any is left."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if pid == 0:
                return True
            if pid == self._pid:
                self._status = status
                self._grace_ends = time.monotonic() + GRACE_S

    def _end_tree(self, why: bytes = END_KILLED) -> None:
        if self._ended_by:
            return
        if self._status is None:
            self._ended_by = why
        self._survivors = end_descendants(self._reap, KILL_WITHIN_S)
        self._close_input()
        if self._status is None:  # it could not be killed: it is a survivor, and nobody waits for it
            self._status = _SIGKILL
            self._grace_ends = time.monotonic()

    def _verdict(self) -> tuple[bytes, int]:
        status = self._status or 0
        signalled = os.WIFSIGNALED(status)
        value = os.WTERMSIG(status) if signalled else os.WEXITSTATUS(status)
        return self._ended_by or (END_SIGNAL if signalled else END_EXIT), value

    def _flush_all(self) -> None:
        while self._outbox:
            poll = select.poll()
            poll.register(self._stream, select.POLLOUT)
            poll.poll()
            self._outbox.flush()


def _widen(pipe: int) -> None:
    """Let a pipe hold more; one of a user who has many large ones already stays as it is."""
    try:
        fcntl.fcntl(pipe, _F_SETPIPE_SZ, _PIPE_BYTES)
    except OSError:
        return


def _file_of(content: bytes) -> int:
    """Return a descriptor to read ``content`` from.

    A file, not a pipe: bash reads it in blocks instead of byte by byte, and nobody has to feed it.
    """
    file = os.memfd_create("script")
    unwritten = memoryview(content)
    while unwritten:
        unwritten = unwritten[os.write(file, unwritten) :]
    os.lseek(file, 0, os.SEEK_SET)
    return file


def descendants() -> list[int]:
    """Return the ids of every process below this one."""
    children = {}  # type: dict[int, list[int]]
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open("/proc/" + name + "/stat", "rb", 0) as file:
                    stat = file.read()
            except OSError:  # it ended meanwhile
                continue
            parent = int(stat[stat.rindex(b")") + 1 :].split()[1])
            children.setdefault(parent, []).append(int(name))
    found = children.get(os.getpid(), [])
    for pid in found:  # grows while it is walked
        found.extend(children.get(pid, ()))
    return found


def end_descendants(reap: Callable[[], bool], within_s: float) -> int:
    """Kill every process below this one and return how many would not go. ``reap`` collects the dead; true when any is left.

    They are all stopped before the first is killed, so that what forks all the time (a fork bomb) runs out of hands.
    """
    deadline = time.monotonic() + within_s
    stopped = set()  # type: set[int]
    while time.monotonic() < deadline:
        running = [pid for pid in descendants() if pid not in stopped]
        if not running:
            break
        _signal_all(running, _SIGSTOP)
        stopped.update(running)
    pause_s = 0.0005
    while True:
        left = descendants()
        _signal_all(left, _SIGKILL)
        if not reap():
            return 0
        if time.monotonic() >= deadline:
            return len(left)
        time.sleep(pause_s)
        pause_s = min(pause_s * 2, 0.02)


def _signal_all(pids: list[int], number: int) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except OSError:  # gone already, or not ours to signal (setuid): then it shows up as a survivor
            continue


def _drain_in_background(pipes: dict[int, bytes], stream: int) -> None:
    """Read on what is left behind writes, until it closes its end: it must not die of a broken pipe."""
    if os.fork():
        return
    try:
        os.close(stream)
        for pipe in pipes:
            os.set_blocking(pipe, True)
            while os.read(pipe, PIECE_BYTES):
                pass
    finally:
        os._exit(0)


def pidfd_open(pid: int) -> int:
    """Return a descriptor of a process. Raises OSError when the kernel (before Linux 5.3) has no such thing."""
    if hasattr(os, "pidfd_open"):  # Python 3.9
        return os.pidfd_open(pid)
    fd = ctypes.CDLL(None, use_errno=True).syscall(_SYS_PIDFD_OPEN, pid, 0)
    if fd < 0:
        raise OSError(ctypes.get_errno(), "pidfd_open")
    return int(fd)


def _become_subreaper() -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "cannot become a child subreaper")


def _serve(stream: int, environment: dict[bytes, bytes]) -> int:
    """Carry commands until the stream ends or one leaves processes behind; return the worker's exit code."""
    reader = FrameReader(stream)
    while True:
        kind, request = _next_frame(reader, stream)
        if kind != RUN:  # a KILL or INPUT that crossed with the END
            continue
        try:
            command = Command(request, environment, reader, stream)
        except OSError as error:
            outbox = Outbox(stream)
            outbox.put(REFUSED, str(error).encode())
            continue
        if command.carry():
            if reader.is_inside_frame:  # input that comes too late; the successor shall not begin in the middle of it
                _next_frame(reader, stream)
            return _WORKER_RETIRES


def _next_frame(reader: FrameReader, stream: int) -> tuple[bytes, bytes]:
    while True:
        got = reader.next()
        if got is not None:
            return got
        poll = select.poll()
        poll.register(stream, select.POLLIN)
        poll.poll()


def _work(stream: int, environment: dict[bytes, bytes]) -> int:
    try:
        _become_subreaper()
        return _serve(stream, environment)
    except StreamClosedError:
        return _WORKER_DONE
    except BaseException as error:  # noqa: BLE001 - the last line of defence: it is told, and ends the agent
        os.set_blocking(stream, True)
        os.write(stream, frame(BROKEN, repr(error).encode("utf-8", "backslashreplace")))
        return _WORKER_BROKE


def serve(stream: int, environment: dict[bytes, bytes], title: bytes = b"outspread-agent") -> int:
    """Serve ``stream`` until it closes; return an exit code. Every command gets ``environment``.

    ``title`` is what the process list shows.
    """
    show_as(title)
    ctypes.CDLL(None).signal(_SIGINT, None)  # Python's own handler would end us with a KeyboardInterrupt
    os.set_inheritable(stream, False)
    os.set_blocking(stream, False)
    os.write(stream, frame(READY))
    while True:
        worker = os.fork()
        if worker == 0:
            code = _WORKER_BROKE
            try:
                code = _work(stream, environment)
            finally:
                os._exit(code)
        pid, status = os.wait()
        while pid != worker:  # an orphan
            pid, status = os.wait()
        if not (os.WIFEXITED(status) and os.WEXITSTATUS(status) == _WORKER_RETIRES):
            return 0 if status == 0 else 1


def show_as(title: bytes) -> None:
    """Change what the process list shows of us: a script's ``pkill python`` is not meant for its agent."""
    ctypes.CDLL(None).prctl(_PR_SET_NAME, title.split()[0], 0, 0, 0)
    with open("/proc/self/stat", "rb", 0) as file:
        stat = file.read()
    start, end = (int(field) for field in stat[stat.rindex(b")") + 2 :].split()[45:47])
    if start:  # the memory of our arguments; a kernel that hides its place leaves them as they are
        ctypes.memmove(start, title[: end - start - 1].ljust(end - start, b"\0"), end - start)


def take_stream(source: int) -> int:
    """Move the stream away from the standard descriptors, put /dev/null in their place, and return its new number."""
    stream = os.dup(source)
    null = os.open("/dev/null", os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    if null > 2:
        os.close(null)
    return stream


def main() -> None:
    """Serve the stream on standard input."""
    sys.exit(serve(take_stream(0), dict(os.environb)))


if __name__ == "__main__":
    main()
