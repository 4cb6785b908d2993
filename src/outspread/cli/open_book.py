"""The book of a run's machines, on the reuse file that was asked for; the one place that wires the two together."""

import contextlib
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from outspread.cli.keep_wish import KeepWish
from outspread.errors import InfrastructureError, UserError
from outspread.machines.contract import Machine
from outspread.machines.reuse.machine_book import MachineBook, unwritten_book
from outspread.machines.reuse.reuse_file import ReuseFile, reuse_path
from outspread.machines.reuse.reuse_text import ReuseEntry


@contextlib.contextmanager
def open_book(root: Path, wish: KeepWish, *, say: Callable[[str], None]) -> Iterator[MachineBook]:
    """Hold the reuse file that ``wish`` names as long as the book is open; ``say`` tells people that we wait for it.

    A file of a process is deleted in the end when nothing is noted in it any more. Raises UserError when it cannot be used.
    """
    if wish.reuse or wish.reuse_pid:
        file = ReuseFile(reuse_path(root, wish.reuse_pid or None))
        with _held(file, say) as noted:
            book = MachineBook(file.write, noted, lends=True, keeps=wish.reuse, resends=wish.resend)
            yield book
            if wish.reuse_pid and not book.entries:
                file.remove()
    elif wish.notes_own:
        with contextlib.closing(_OwnFile(reuse_path(root, os.getpid()), say)) as own:
            yield own.book
    else:
        yield unwritten_book()


def cross_out(root: Path, given_back: Sequence[Machine], *, say: Callable[[str], None]) -> None:
    """Cross out machines, which were given back by another way, in the reuse files of a project."""
    for path in sorted(root.glob(".spread-reuse*.yaml")):
        if not any(machine.machine_id in path.read_text(errors="replace") for machine in given_back):
            continue  # without waiting for who holds it
        file = ReuseFile(path)
        with _held(file, say) as noted:
            book = MachineBook(file.write, noted)
            for machine in given_back:
                book.forget(machine)
            if not book.entries and path != reuse_path(root):
                file.remove()


@contextlib.contextmanager
def _held(file: ReuseFile, say: Callable[[str], None]) -> Iterator[tuple[ReuseEntry, ...]]:
    noted = file.hold(say)
    try:
        yield noted
    finally:
        file.let_go()


class _OwnFile:
    """The file of this process, made when there is something to note. A run does not depend on it."""

    def __init__(self, path: Path, say: Callable[[str], None]) -> None:
        self._file = ReuseFile(path)
        self._say = say
        self._is_held = self._is_broken = False
        noted: tuple[ReuseEntry, ...] = ()
        if path.exists():  # of an earlier process with our number
            noted = self._hold()
        self.book = MachineBook(self._write, noted)

    def close(self) -> None:
        """Let go of the file, and delete it if nothing is noted in it."""
        if self._is_held:
            if not self.book.entries:
                self._file.remove()
            self._file.let_go()

    def _hold(self) -> tuple[ReuseEntry, ...]:
        try:
            noted = self._file.hold(self._say)
        except UserError as error:
            self._warn(error)
            return ()
        self._is_held = True
        return noted

    def _write(self, entries: Sequence[ReuseEntry]) -> None:
        if not self._is_held and not self._is_broken:
            self._hold()
        if self._is_held and not self._is_broken:
            try:
                self._file.write(entries)
            except InfrastructureError as error:
                self._warn(error)

    def _warn(self, error: Exception) -> None:
        self._is_broken = True
        print(f"warning: machines are not noted beside the project: {error}", file=sys.stderr)
