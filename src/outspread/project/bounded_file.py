"""Read a file that should be a small regular one, whatever it turns out to be: never wait, never read without end."""

import os
import stat

MOST_BYTES = 16 * 1024 * 1024


class UnreadableFileError(Exception):
    """A file that is there, and cannot be read; the text names it, in Go's words where Go has words for it."""


def read_bounded(path: str) -> bytes | None:
    """Return what ``path`` holds; None when there is no such file. Raises UnreadableFileError."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise UnreadableFileError(f"open {path}: {cause_of(error)}") from error
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) and not stat.S_ISDIR(status.st_mode):
            raise UnreadableFileError(f"read {path}: not a regular file")
        if status.st_size > MOST_BYTES:
            raise UnreadableFileError(f"read {path}: larger than {MOST_BYTES // 1024**2} MiB")
        data = os.read(descriptor, status.st_size + 1)
        while 0 < len(data) < status.st_size and (more := os.read(descriptor, status.st_size - len(data))):
            data += more
    except OSError as error:
        raise UnreadableFileError(f"read {path}: {cause_of(error)}") from error
    finally:
        os.close(descriptor)
    return data


def cause_of(error: Exception) -> str:
    """Return why a system call failed, the way Go writes it."""
    text = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return text[:1].lower() + text[1:]
