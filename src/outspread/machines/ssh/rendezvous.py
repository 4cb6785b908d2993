"""How those who meet on a machine find one another: the anchor, and whoever brings it another connection.

Runs on the machine: standard library only, Python 3.8.
"""

from __future__ import annotations

import fcntl

_F_SETPIPE_SZ = 1031
_PIPE_BYTES = 1024 * 1024


def socket_name(token: str) -> str:
    """Return where the anchor listens: a name that is no file, and that only those who know the token can say."""
    return "\0outspread-" + token


def widen(*pipes: int) -> None:
    """Let pipes hold more, where they are pipes and may."""
    for pipe in pipes:
        try:
            fcntl.fcntl(pipe, _F_SETPIPE_SZ, _PIPE_BYTES)
        except OSError:
            continue
