"""A directory for what is not whole yet, beside where it is to be; nobody's, once its process is gone."""

import contextlib
import fcntl
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from outspread.store.tree_removal import remove_tree

_PREFIX: Final = ".outspread-unfinished-"
#: Younger ones may not be locked yet.
_YOUNG_S: Final = 60.0


@contextmanager
def scratch_in(directory: Path) -> Iterator[Path]:
    """Yield a new directory in ``directory``, which is made if need be; it is gone in the end. Raises OSError.

    What processes that were killed have left there of this kind is removed, too.
    """
    directory.mkdir(parents=True, exist_ok=True)
    for left in directory.glob(f"{_PREFIX}*"):
        _remove_if_left(left)
    made = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=directory))
    handle = os.open(made, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield made
    finally:
        remove_tree(made)
        os.close(handle)


def _remove_if_left(directory: Path) -> None:
    with contextlib.suppress(OSError):  # somebody works in it, or has just removed it
        handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            if time.time() - os.fstat(handle).st_mtime > _YOUNG_S:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                remove_tree(directory)
        finally:
            os.close(handle)
