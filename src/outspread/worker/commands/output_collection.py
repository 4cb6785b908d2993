"""Collect what a command was to leave: out of a work tree that it may have made as hostile as it liked. Calls block.

The tree is walked from one handle to the next and no link is followed, so there is no path that could be led elsewhere while this
goes on. What is not collected is named in a marker beside what is, and the attempt's result is not lost for it.
"""

import os
import shutil
import stat
from pathlib import Path
from typing import Final

from msgspec import Struct

from outspread.errors import InfrastructureError
from outspread.worker.commands.output_globs import OutputGlobs

#: The file beside the outputs that names what was left out.
MARKER: Final = "OUTPUTS-LEFT-OUT.txt"
_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_DEEPEST: Final = 100
#: So many names are told of what was left out.
_MOST_NAMES: Final = 100
_REMARK_NAMES: Final = 3


class OutputLimits(Struct, frozen=True):
    files: int = 20_000
    bytes: int = 2 * 1024**3


class Collected(Struct, frozen=True):
    """``remark`` says what was left out, and why; "" when nothing was."""

    files: int
    bytes: int
    remark: str


def collect_outputs(tree: Path, globs: OutputGlobs, into: Path, limits: OutputLimits) -> Collected:
    """Make ``into`` with all of ``tree`` that is wanted, as far as the limits allow; hard links where that works.

    Raises InfrastructureError when it cannot be written.
    """
    try:
        into.mkdir(mode=0o700)
        source = os.open(tree, _DIRECTORY)
    except OSError as error:
        raise InfrastructureError(f"cannot collect outputs of {tree}: {error.strerror}") from error
    try:
        collection = _Collection(into, limits)
        collection.walk(source, globs, "")
    finally:
        os.close(source)
    return collection.finish()


class _Collection:
    def __init__(self, into: Path, limits: OutputLimits) -> None:
        self._into = into
        self._limits = limits
        self._files = 0
        self._bytes = 0
        self._left_out: list[str] = []
        self._more_left_out = 0

    def walk(self, source: int, globs: OutputGlobs, prefix: str) -> None:
        """Take what is wanted of the directory ``source``; ``prefix`` is its path in the tree, with a slash at its end."""
        for name in sorted(os.listdir(source)):
            path = prefix + name
            inside, wanted = globs.enter(name), globs.wants(name)
            if inside is None:
                continue
            try:
                about = os.lstat(name, dir_fd=source)
                if stat.S_ISDIR(about.st_mode):
                    self._enter(source, name, inside, path, wanted=wanted)
                elif wanted:
                    self._take(source, name, path)
            except FileNotFoundError:  # somebody else's process removed it just now
                continue
            except OSError as error:
                self._leave_out(path, error.strerror or "")

    def finish(self) -> Collected:
        """Write the marker, if there is a need for one."""
        left_out = len(self._left_out) + self._more_left_out
        if not left_out:
            return Collected(self._files, self._bytes, "")
        lines = list(self._left_out)
        if self._more_left_out:
            lines.append(f"and {self._more_left_out} more")
        text = "".join(f"{line}\n" for line in lines)
        marker = self._into / MARKER
        try:
            marker.unlink(missing_ok=True)  # a link of the command's own to one of its files must not be written to
            marker.write_text(text, "utf-8", "backslashreplace")
        except OSError as error:
            raise InfrastructureError(f"cannot write {marker}: {error.strerror}") from error
        shown = ", ".join(self._left_out[:_REMARK_NAMES])
        more = f" and {left_out - _REMARK_NAMES} more" if left_out > _REMARK_NAMES else ""
        remark = f"not collected: {shown}{more}".encode("utf-8", "backslashreplace").decode()
        return Collected(self._files, self._bytes, remark)

    def _enter(self, source: int, name: str, inside: OutputGlobs, path: str, *, wanted: bool) -> None:
        if path.count("/") >= _DEEPEST:
            self._leave_out(path, "too deep")
            return
        if wanted:
            self._place(path).mkdir(parents=True, exist_ok=True)
        handle = os.open(name, _DIRECTORY, dir_fd=source)
        try:
            self.walk(handle, inside, f"{path}/")
        finally:
            os.close(handle)

    def _take(self, source: int, name: str, path: str) -> None:
        try:
            handle = os.open(name, _FILE, dir_fd=source)
        except OSError as error:
            self._leave_out(path, "a link" if _is_link(source, name) else error.strerror or "")
            return
        try:
            about = os.fstat(handle)
            if not stat.S_ISREG(about.st_mode):
                self._leave_out(path, "not a file")
            elif not _is_text(path):
                self._leave_out(path, "its name is not UTF-8")
            elif self._files >= self._limits.files:
                self._leave_out(path, f"more than {self._limits.files} files")
            elif self._bytes + about.st_size > self._limits.bytes:
                self._leave_out(path, f"more than {self._limits.bytes} bytes in all")
            else:
                self._put(handle, self._place(path))
                self._files += 1
                self._bytes += about.st_size
        finally:
            os.close(handle)

    def _put(self, handle: int, place: Path) -> None:
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            # through the handle: the name may mean something else by now
            os.link(f"/proc/self/fd/{handle}", place, follow_symlinks=True)
        except OSError:  # another file system, or a file that is not ours: its content, then
            with open(handle, "rb", closefd=False) as content, place.open("xb") as copy:
                shutil.copyfileobj(content, copy)

    def _place(self, path: str) -> Path:
        return self._into / path

    def _leave_out(self, path: str, why: str) -> None:
        if len(self._left_out) < _MOST_NAMES:
            self._left_out.append(f"{path} ({why})")
        else:
            self._more_left_out += 1


def _is_link(source: int, name: str) -> bool:
    return stat.S_ISLNK(os.lstat(name, dir_fd=source).st_mode)


def _is_text(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True
