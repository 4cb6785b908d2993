"""Tell a full disk from other failures of it."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from outspread.store.errors import StoreError, StoreFullError

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


@contextmanager
def disk_errors(place: Path) -> Iterator[None]:
    """Turn the system's errors of writing below ``place`` into ours."""
    try:
        yield
    except OSError as error:
        why = error.strerror or str(error)
        if error.errno in _FULL:
            raise StoreFullError(
                f"cannot write to the store in {place}: {why}",
                hint="make room on this file system; the store goes on by itself then",
            ) from error
        raise StoreError(f"cannot use the store in {place}: {why}") from error
