"""The record of this user's runs, opened; the one place that says where it is."""

import os
import sys
import time
from pathlib import Path

from outspread.controller.ledger import Ledger
from outspread.controller.sqlite_ledger import SqliteLedger
from outspread.controller.state_directory import state_directory


def open_ledger() -> Ledger:
    """Return the record in the user's state directory; trouble with it is a warning on standard error."""
    directory = state_directory(os.environ, Path.home())
    return SqliteLedger(directory, warn=lambda text: print(f"warning: {text}", file=sys.stderr), wall=time.time)
