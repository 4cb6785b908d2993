"""Write a file whole or not at all: whoever reads it meanwhile sees the old one."""

import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from outspread.errors import UserError


def check_writable(file: Path) -> None:
    """Raise UserError when ``file`` could not be written: better before a run than after it."""
    file = file.resolve()
    if file.exists() and not file.is_file():
        if file.is_dir() or not os.access(file, os.W_OK):
            raise UserError(f"cannot write {file}: it is a directory or not writable")
        return
    if not file.parent.is_dir() or not os.access(file.parent, os.W_OK):
        raise UserError(f"cannot write {file}: its directory does not exist or is not writable")


@contextmanager
def whole_file(file: Path) -> Iterator[IO[bytes]]:
    """Yield a stream that becomes ``file`` at the end, unless there is an error. Raises OSError.

    A link is followed and stays one; a device or a pipe is written as it is; a file that was there keeps its mode.
    """
    file = file.resolve()
    if file.exists() and not file.is_file():
        with file.open("wb") as target:
            yield target
        return
    with tempfile.NamedTemporaryFile("wb", dir=file.parent, prefix=f".{file.name}.", delete=False) as new:
        try:
            yield new
            new.flush()
            os.fchmod(new.fileno(), stat.S_IMODE(file.stat().st_mode) if file.exists() else _mode_of_new_files())
            Path(new.name).replace(file)
        except BaseException:
            Path(new.name).unlink(missing_ok=True)
            raise


def _mode_of_new_files() -> int:
    """Return the mode of any file that the user makes; a temporary one is private instead."""
    umask = os.umask(0)
    os.umask(umask)
    return 0o666 & ~umask
