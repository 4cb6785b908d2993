"""The record of this user's runs, opened; the one place that says where it is."""

import os
import sys
import time
from pathlib import Path

from outspread.controller.ledger import Ledger
from outspread.controller.sqlite_ledger import SqliteLedger
from outspread.user_directories import state_directory

_warnings: list[str] = []  # of this process, which has one record


def open_ledger() -> Ledger:
    """Return the record in the user's state directory; trouble with it is a warning on standard error."""
    directory = state_directory(os.environ, Path.home())
    return SqliteLedger(directory, warn=_warn, wall=time.time)


def is_recording() -> bool:
    """Return whether all has been recorded so far: no trouble with the record was warned of."""
    return not _warnings


def _warn(text: str) -> None:
    _warnings.append(text)
    print(f"warning: {text}", file=sys.stderr)
