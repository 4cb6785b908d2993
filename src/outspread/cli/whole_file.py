"""Write a file whole or not at all: whoever reads it meanwhile sees the old one."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from outspread.errors import UserError


def check_writable(file: Path) -> None:
    """Raise UserError when ``file`` could not be written: better before a run than after it."""
    if not file.parent.is_dir() or not os.access(file.parent, os.W_OK):
        raise UserError(f"cannot write {file}: its directory does not exist or is not writable")


@contextmanager
def whole_file(file: Path) -> Iterator[IO[bytes]]:
    """Yield a stream that becomes ``file`` at the end, unless there is an error. Raises OSError."""
    with tempfile.NamedTemporaryFile("wb", dir=file.parent, prefix=f".{file.name}.", delete=False) as target:
        try:
            yield target
            target.flush()
            # A temporary file is private; a result file is as readable as any other that the user makes.
            umask = os.umask(0)
            os.umask(umask)
            os.fchmod(target.fileno(), 0o666 & ~umask)
            Path(target.name).replace(file)
        except BaseException:
            Path(target.name).unlink(missing_ok=True)
            raise
