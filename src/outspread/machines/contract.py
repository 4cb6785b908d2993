"""The two contracts of this room: where machines come from, and the way into one.

A new kind of machine implements :class:`MachineBackend`; a new way in implements :class:`Shell`. ``tests/contract`` holds
the suite that each implementation passes. Rendering scripts is ``prologue``; deciding which script comes next is ``worker``.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Protocol

from msgspec import Struct, structs

from outspread.errors import InfrastructureError
from outspread.project.model import Backend, System
from outspread.project.timeouts import DEFAULT_KILL_S, DEFAULT_WARN_S

#: Called with each piece of output as it arrives, stdout and stderr merged, bytes untouched.
OutputSink = Callable[[bytes], None]

#: Called with one line of progress for people ("waiting for an address").
ProgressSink = Callable[[str], None]


class MachineRequest(Struct, frozen=True):
    """What is asked of a backend. It is recorded before the backend is asked, so that no machine is ever forgotten."""

    machine_id: str  # ours, unique for ever; a backend marks the machine with it
    run_id: str
    project: str
    root: str  # project directory on this host, for local scripts
    backend: Backend
    system: System
    password: str = ""  # the system's own, or else that of the session
    warn_after_s: float = DEFAULT_WARN_S  # limits of scripts on this host
    kill_after_s: float = DEFAULT_KILL_S


class Machine(Struct, frozen=True):
    """One computer: what must be recorded to reach it and to give it back, also by another process."""

    machine_id: str
    backend: str
    backend_type: str
    system: str
    label: str = ""  # the backend's own name for it (an instance name), for people
    address: str = ""
    username: str = ""
    password: str = ""
    key: str = ""  # a private key to log in with, and what it is locked with
    key_password: str = ""
    data: dict[str, str] = {}  # the backend's own notes (pids, instance ids)

    def without_secrets(self) -> "Machine":
        """Return what of it may be recorded."""
        return structs.replace(self, password="", key="", key_password="")

    def __str__(self) -> str:
        name = f"{self.backend}:{self.system}"
        return f"{name} ({self.label})" if self.label else name


class LeftBehindError(InfrastructureError):
    """A machine was made, is of no use, and could not be given back: it must not be forgotten."""

    def __init__(self, machine: Machine, why: str, *, hint: str = "") -> None:
        super().__init__(f"cannot give back {machine}: {why}", hint=hint, retry=False)
        self.machine = machine


class ScriptEnd(Struct, frozen=True):
    """How a script ended: an exit code, or the signal that ended it; ``timed_out`` when we killed it at its limit."""

    exit_code: int | None
    signal: int | None = None
    timed_out: bool = False

    @property
    def passed(self) -> bool:
        return self.exit_code == 0 and not self.timed_out


class FetchedPaths(Struct, frozen=True):
    """What came of a fetch: patterns that matched nothing are named, not an error.

    ``refused`` names what was matched and not taken: devices, sockets, and links that lead outside what was fetched.
    """

    files: int
    missing: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()


class WindowSize(Struct, frozen=True):
    """How much a terminal shows."""

    rows: int
    columns: int


class Terminal(Protocol):
    """A person's terminal, lent to one shell on a machine: keys and bytes pass as they are.

    Errors of the terminal itself are OSErrors.
    """

    @property
    def kind(self) -> str:
        """The value of TERM for what is shown on it."""
        ...

    @property
    def size(self) -> WindowSize: ...

    async def read(self) -> bytes | WindowSize:
        """Return what is typed next, or the new size; nothing (``b""``) when the terminal is gone for good."""
        ...

    async def write(self, piece: bytes) -> None:
        """Show ``piece``; waits while the terminal takes no more."""
        ...


class Shell(Protocol):
    """The way into one machine. One script at a time; every method raises ConnectionLostError when the machine is gone."""

    async def run(self, script: bytes, *, output: OutputSink, kill_after_s: float) -> ScriptEnd:
        """Feed ``script`` to ``bash -`` as root and return how it ended.

        At ``kill_after_s``, and when cancelled, every process that the script started is killed, wherever it went
        (other sessions and orphans too) before this returns. When the script ends by itself, what it left in the
        background lives on, and output that such processes still hold open is not waited for.
        """
        ...

    async def interact(self, setup: bytes, terminal: Terminal) -> ScriptEnd:
        """Join ``terminal`` to an interactive bash as root, on a terminal of the machine, until it ends; return how it did.

        ``setup`` is what that bash reads first, in place of any ``.bashrc``. There is no limit of time. When cancelled, and
        when ``terminal`` is gone, everything the bash started is killed, as by ``run``.
        """
        ...

    async def send_tree(self, archive: IO[bytes], directory: str) -> None:
        """Unpack ``archive`` (an uncompressed tar, from its start) as root under ``directory``, which is made if missing.

        Raises UserError when the directory exists and is not empty. Owners are the archive's.
        """
        ...

    async def fetch(self, directory: str, patterns: Sequence[str], destination: Path) -> FetchedPaths:
        """Copy what ``patterns`` (paths with ``*``, ``?``, ``[...]``, relative to ``directory``) match to ``destination``.

        Directories are taken whole. Nothing is ever written outside ``destination``, whatever the machine sends.
        """
        ...

    async def reboot(self, *, within_s: float) -> None:
        """End every process on the machine, keep its disk, and return when it is up with another boot id.

        Raises InfrastructureError when it is not back within ``within_s`` seconds.
        """
        ...

    async def close(self) -> None:
        """Let go of the connection; the machine lives on. Idempotent."""
        ...


class MachineBackend(Protocol):
    """Where machines come from. Found by its type through the entry-point group ``outspread.backends``.

    An instance serves one process; constructing one touches nothing.
    """

    #: Whether a machine lives on when the process that got it ends without giving it back.
    machines_live_on: bool

    def draft(self, request: MachineRequest) -> Machine:
        """Return what is known of the machine before it is asked for: enough to give back what a broken allocation left."""
        ...

    async def allocate(self, request: MachineRequest, progress: ProgressSink) -> Machine:
        """Get a machine. Raises InfrastructureError (``retry`` says whether asking again may help) or UserError.

        Whatever was made before a failure or a cancellation is given back before this ends; LeftBehindError when that cannot be.
        """
        ...

    async def connect(self, machine: Machine) -> Shell:
        """Open the way in, in a single try.

        Raises NotReadyError when the machine does not answer, as one that still boots does not, and ConnectionLostError
        when waiting for it would not help.
        """
        ...

    async def discard(self, machine: Machine) -> None:
        """Give the machine back. Idempotent; no error when it is gone already. Touches nothing that is not ours."""
        ...

    async def existing(self) -> Sequence[Machine]:
        """Return the machines of this backend that are still around, whoever asked for them."""
        ...
