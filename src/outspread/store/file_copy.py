"""Copy and finish files so that they can be executed at once. Calls block.

A program that is being started inherits, for an instant, what this process has open: a file that was being written then cannot be
executed until that instant is over ("text file busy"). ``settled`` waits for it.
"""

import contextlib
import errno
import fcntl
import os
import time
from typing import Final

_FICLONE: Final = 0x40049409
_SETTLES_WITHIN_S: Final = 5.0
_LOOKED_AT_EVERY_S: Final = 0.001
#: So little is not worth sharing.
#: So little is not worth sharing.
_SMALL_BYTES: Final = 64 * 1024
_COPIED_AT_ONCE: Final = 1 << 30
_NEW_FILE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
#: The file system cannot do this, or not between these two files.
_CANNOT: Final = frozenset({errno.EOPNOTSUPP, errno.EXDEV, errno.EINVAL, errno.ENOTTY, errno.ENOSYS, errno.EPERM, errno.EBADF})


def copy_file(source: int, name: str, *, directory: int, mode: int, times_ns: tuple[int, int]) -> None:
    """Make a new file with the content of ``source``, sharing its blocks where the file system can."""
    target = os.open(name, _NEW_FILE, 0o600, dir_fd=directory)
    try:
        _copy_content(source, target)
        finish_file(target, mode=mode, times_ns=times_ns)
    except BaseException:
        os.unlink(name, dir_fd=directory)
        raise
    finally:
        os.close(target)
    if mode & 0o111:
        settled(name, directory=directory)


def finish_file(file: int, *, mode: int, times_ns: tuple[int, int]) -> None:
    """Give a file the mode and the times (of access and modification) that it is to keep."""
    os.fchmod(file, mode)
    os.utime(file, ns=times_ns)


def settled(name: str, *, directory: int) -> None:
    """Return when nobody has the file open for writing any more: what can be executed must not have a writer."""
    file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
    try:
        give_up = time.monotonic() + _SETTLES_WITHIN_S
        while True:
            try:
                fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_RDLCK)  # granted only where there is no writer
            except BlockingIOError:
                if time.monotonic() > give_up:  # then who executes it will say so
                    return
                time.sleep(_LOOKED_AT_EVERY_S)
            except OSError as error:  # a file system without leases
                if error.errno not in _CANNOT and error.errno != errno.ENOLCK and error.errno != errno.EACCES:
                    raise
                return
            else:
                fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_UNLCK)
                return
    finally:
        os.close(file)


def _copy_content(source: int, target: int) -> None:
    if os.fstat(source).st_size <= _SMALL_BYTES:
        unwritten = os.read(source, _SMALL_BYTES)
        while unwritten:
            unwritten = unwritten[os.write(target, unwritten) :]
        return
    with contextlib.suppress(OSError):  # every reason why it cannot be shared is a reason to copy
        fcntl.ioctl(target, _FICLONE, source)
        return
    position = 0
    while True:
        try:
            copied = os.copy_file_range(source, target, _COPIED_AT_ONCE, position)
        except OSError as error:
            if error.errno not in _CANNOT:
                raise
            copied = os.sendfile(target, source, position, _COPIED_AT_ONCE)
        if not copied:
            return
        position += copied
