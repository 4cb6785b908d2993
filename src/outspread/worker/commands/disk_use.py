"""How much a command has written below its directory. Calls block."""

import os
from pathlib import Path
from typing import Final

_BLOCK_BYTES: Final = 512


def written_bytes(directory: Path, *, enough_bytes: int) -> int:
    """Return what the files below a directory take of the disk; counting ends at ``enough_bytes``.

    Files with several names are not counted: inputs are such, and belong to the cache.
    """
    total = 0
    waiting = [os.fspath(directory)]
    while waiting and total < enough_bytes:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    about = entry.stat(follow_symlinks=False)
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    elif about.st_nlink == 1:
                        total += about.st_blocks * _BLOCK_BYTES
        except OSError:  # the command has removed it, or made it unreadable: what it holds is found when it is collected
            continue
    return total
