"""Remember for a while which files have been read and found sound, so that what many fetch is not hashed for each of them."""

import os
import time
from typing import Final

#: Damage to a disk shows no later than this, if whoever gets the content does not see it at once, as our own clients do.
_TRUSTED_S: Final = 600.0
_REMEMBERED: Final = 10_000


class CheckedFiles:
    """Files by name. A file that has changed since in any way that the system notes has not been checked."""

    def __init__(self) -> None:
        self._checked: dict[str, tuple[float, int, int, int]] = {}

    def note(self, name: str, found: os.stat_result) -> None:
        """Note that a file has been found sound, which looked like this before it was read."""
        if len(self._checked) >= _REMEMBERED:
            self._checked.clear()
        self._checked[name] = (time.monotonic(), *_identity(found))

    def is_known(self, name: str, found: os.stat_result) -> bool:
        checked = self._checked.get(name)
        return checked is not None and checked[1:] == _identity(found) and time.monotonic() - checked[0] < _TRUSTED_S


def _identity(found: os.stat_result) -> tuple[int, int, int]:
    return found.st_ino, found.st_mtime_ns, found.st_ctime_ns
