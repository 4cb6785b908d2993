"""A reuse file on disk: held by one process at a time, and never half written, whenever that process is killed.

The steps are Spread's, so that it and we can take turns: the new text goes to ``FILE.tmp``, which is renamed to ``FILE.new``;
then the file itself, which carries the lock, is written over, and ``FILE.new`` removed. One that is left over is newer than
the file.
"""

import fcntl
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from outspread.errors import InfrastructureError, UserError
from outspread.machines.reuse.reuse_text import ReuseEntry, ReuseTextError, parse_reuse, refuse_repeated_addresses, render_reuse

WAITING = "Waiting for another process to release reuse lock."
_WAITING_AFTER_S = 3.0
_POLL_S = 0.05


def reuse_path(root: Path, pid: int | None = None) -> Path:
    """Return the file of a project: the one of ``-reuse``, or that of the process ``pid``."""
    return root / (".spread-reuse.yaml" if pid is None else f".spread-reuse.{pid}.yaml")


class ReuseFile:
    """The file at ``path``, locked from ``hold`` to ``let_go``."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = -1

    def hold(self, say: Callable[[str], None]) -> tuple[ReuseEntry, ...]:
        """Lock the file, made if missing, and return its machines; blocks while another process holds it.

        Raises UserError for a file that cannot be used.
        """
        try:
            self._descriptor = self._locked(say)
            text = self._new.read_bytes() if self._new.exists() else _all_of(self._descriptor)
            entries = parse_reuse(text.decode("utf-8", "surrogateescape"))
            refuse_repeated_addresses(entries, str(self.path))
        except OSError as error:
            self.let_go()
            raise UserError(f"cannot use {self.path}: {error.strerror}") from error
        except ReuseTextError as error:
            self.let_go()
            raise UserError(f"cannot use {self.path}: {error}", hint="mend or remove it") from error
        except BaseException:
            self.let_go()
            raise
        return entries

    def write(self, entries: Sequence[ReuseEntry]) -> None:
        """Replace the machines in the file. Raises InfrastructureError."""
        text = render_reuse(entries).encode("utf-8", "surrogateescape")
        try:
            # what is not on the disk yet is written by the kernel even if we are killed, so nothing waits for the disk
            with open(self._tmp, "wb", buffering=0, opener=_private) as tmp:
                _put(tmp.fileno(), text)
            self._tmp.rename(self._new)
            _put(self._descriptor, text)
            self._new.unlink()
        except OSError as error:
            raise InfrastructureError(f"cannot write {self.path}: {error.strerror}", retry=False) from error

    def remove(self) -> None:
        """Delete the file. Those who wait for its lock find out."""
        self.path.unlink(missing_ok=True)

    def let_go(self) -> None:
        """Unlock the file. Idempotent."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    @property
    def _tmp(self) -> Path:
        return self.path.with_name(f"{self.path.name}.tmp")

    @property
    def _new(self) -> Path:
        return self.path.with_name(f"{self.path.name}.new")

    def _locked(self, say: Callable[[str], None]) -> int:
        began, told = time.monotonic(), False
        while True:
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if self._is_at_path(descriptor):
                    os.fchmod(descriptor, 0o600)
                    return descriptor
            except BlockingIOError:
                if not told and time.monotonic() - began >= _WAITING_AFTER_S:
                    told = True
                    say(WAITING)
                time.sleep(_POLL_S)
            except BaseException:
                os.close(descriptor)
                raise
            os.close(descriptor)

    def _is_at_path(self, descriptor: int) -> bool:
        """Tell whether the locked file is still the one of that name: its last holder may have deleted it."""
        try:
            return os.path.samestat(os.fstat(descriptor), self.path.stat())
        except FileNotFoundError:
            return False


def noted_without_lock(path: Path) -> tuple[ReuseEntry, ...]:
    """Return the machines in a file that somebody else may hold; none when it cannot be read."""
    for newest in (path.with_name(f"{path.name}.new"), path):
        try:
            return parse_reuse(newest.read_text("utf-8", "surrogateescape"))
        except (OSError, ReuseTextError):
            continue
    return ()


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _all_of(descriptor: int) -> bytes:
    size = os.fstat(descriptor).st_size
    return os.pread(descriptor, size, 0)


def _put(descriptor: int, text: bytes) -> None:
    """Make ``text`` all that the file holds."""
    written = 0
    while written < len(text):
        written += os.pwrite(descriptor, text[written:], written)
    os.ftruncate(descriptor, len(text))
