"""Directories for attempts, each new and empty, below one that belongs to this process; those of dead processes are swept.

Removing is done in a thread, one at a time, behind the attempts' backs.
"""

import asyncio
import logging
import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from outspread.errors import InfrastructureError
from outspread.machines.process_identity import is_alive, own_identity
from outspread.store.errors import StoreError
from outspread.store.tree_removal import remove_tree
from outspread.store.whole_call import whole_call

_log = logging.getLogger(__name__)

#: What a command sees as its work tree, and what is collected of it, below the directory of an attempt.
TREE: Final = "tree"
OUTPUTS: Final = "outputs"


class WorkDirectories:
    """Gives directories below ``base``. ``serve`` removes what was given back."""

    def __init__(self, base: Path) -> None:
        pid, started = own_identity()
        self._base = base
        self.path = base / f"{pid}-{started}"
        try:
            base.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.path.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise InfrastructureError(f"cannot use the work directory {base}: {error.strerror}") from error
        self._removing = threading.Lock()
        self._useless: asyncio.Queue[Path] = asyncio.Queue()
        for path in self._left():
            self._useless.put_nowait(path)

    def give_back(self, path: Path) -> None:
        """Have a directory removed in a while."""
        self._useless.put_nowait(path)

    async def serve(self) -> None:
        """Remove what is given back, until cancelled."""
        while True:
            await asyncio.to_thread(self._remove, await self._next())

    async def close(self) -> None:
        """Remove all that is ours. When this is cancelled, it ends after that."""
        await whole_call(self._remove, [self.path])

    def _remove(self, paths: Sequence[Path]) -> None:
        with self._removing:  # two at once would get into each other's way
            remove_all(paths)

    async def _next(self) -> Sequence[Path]:
        paths = [await self._useless.get()]
        while not self._useless.empty():
            paths.append(self._useless.get_nowait())
        return paths

    def _left(self) -> list[Path]:
        """Return what dead processes have left."""
        found = []
        for entry in os.scandir(self._base):
            pid, _, started = entry.name.partition("-")
            if pid.isdecimal() and started.isdecimal() and not is_alive(int(pid), int(started)):
                found.append(Path(entry.path))
        return found


def remove_all(paths: Sequence[Path]) -> None:
    """Remove directories; one that cannot be removed now (a process still writes to it) is left to the next process's sweep."""
    for path in paths:
        try:
            remove_tree(path)
        except StoreError as error:
            _log.warning("directory left", extra={"path": str(path), "reason": error.message})
