"""Remove a directory whatever a test has made of it: depth, unreadable directories and links do not matter. Calls block.

No path is walked: each directory found is moved up into the first one before it is emptied, so nothing is ever deeper than two
levels.
"""

import contextlib
import os
import secrets
from pathlib import Path
from typing import Final

from outspread.store.errors import StoreError

_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_WITHOUT_READING: Final = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def remove_tree(path: Path) -> None:
    """Remove ``path`` and all below; what is not there is fine. A link is removed, never followed. Raises ``StoreError``."""
    try:
        parent = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        _remove(path.name, parent)
    except OSError as error:
        raise StoreError(f"cannot remove {path}: {error.strerror}") from error
    finally:
        os.close(parent)


def _remove(name: str, parent: int) -> None:
    with contextlib.suppress(FileNotFoundError):
        if not _remove_simple(name, parent):
            root = os.open(name, _DIRECTORY, dir_fd=parent)
            try:
                _empty(root)
            finally:
                os.close(root)
            os.rmdir(name, dir_fd=parent)


def _empty(root: int) -> None:
    waiting = [name for name in os.listdir(root) if not _remove_simple(name, root)]
    prefix = f".{secrets.token_hex(8)}-"
    count = 0
    while waiting:
        directory = waiting.pop()
        handle = os.open(directory, _DIRECTORY, dir_fd=root)
        try:
            for name in os.listdir(handle):
                if not _remove_simple(name, handle):
                    count += 1
                    os.rename(name, f"{prefix}{count}", src_dir_fd=handle, dst_dir_fd=root)
                    waiting.append(f"{prefix}{count}")
        finally:
            os.close(handle)
        os.rmdir(directory, dir_fd=root)


def _remove_simple(name: str, parent: int) -> bool:
    """Remove what is no directory and return True; let the owner list and change a directory, and return False."""
    try:
        os.unlink(name, dir_fd=parent)
    except (IsADirectoryError, PermissionError) as error:
        try:
            handle = os.open(name, _WITHOUT_READING, dir_fd=parent)
        except NotADirectoryError:
            raise error from None
        try:
            os.chmod(f"/proc/self/fd/{handle}", 0o700)
        finally:
            os.close(handle)
        return False
    return True
