"""How much a command has written below its directory. Calls block."""

import contextlib
import os
from pathlib import Path
from typing import Final

_BLOCK_BYTES: Final = 512


def written_bytes(directory: Path, *, enough_bytes: int) -> int:
    """Return what the files below a directory take of the disk; counting ends at ``enough_bytes``.

    Files with several names are not counted: inputs are such, and belong to the cache.
    """
    total = 0
    try:
        # by handles: no link that the command puts in its tree leads out of it; what it makes unreadable is passed over
        for _, _, names, handle in os.fwalk(directory, follow_symlinks=False):
            for name in names:
                with contextlib.suppress(OSError):  # it is gone by now
                    about = os.lstat(name, dir_fd=handle)
                    if about.st_nlink == 1:
                        total += about.st_blocks * _BLOCK_BYTES
            if total >= enough_bytes:
                break
    except OSError:  # the command has removed a directory just now: the next look counts the rest
        pass
    return total
