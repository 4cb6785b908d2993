"""A process of its own that gives back the held machines of one run when their time is over.

Started by the run, which does not wait for it. When it is killed, ``outspread discard --orphans`` finds what it would have
given back.
"""

import subprocess
import sys
import time

from outspread.cli.ask_record import ask_record
from outspread.cli.discard_here import discard_expired
from outspread.controller.values import MachineEntry, Report

_PAUSE_S = 60.0
_LOOK_EVERY_S = 15.0  # somebody may give the machines back before
_FAILURES = 5


def leave_keeper(run_id: str) -> None:
    """Start the keeper of a run's held machines; it outlives this process."""
    subprocess.Popen(
        [sys.executable, "-m", "outspread.cli.hold_keeper", run_id],
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def keep(run_id: str) -> None:
    """Return when none of the run's machines is held any more, or they could not be given back several times."""
    failures = 0
    while failures < _FAILURES and (ends := [entry.held_until for entry in _held(run_id)]):
        left_s = min(ends) - time.time()
        if left_s > 0:
            time.sleep(min(left_s, _LOOK_EVERY_S))
        elif discard_expired(run_id, show=_ignore, say=_ignore).failed:
            failures += 1
            time.sleep(_PAUSE_S)


def _held(run_id: str) -> list[MachineEntry]:
    entries = ask_record(lambda controller: controller.machines())
    return [entry for entry in entries if entry.run_id == run_id and entry.held_until]


def _ignore(_: Report | str) -> None:
    """Nobody reads what this process says."""


if __name__ == "__main__":
    keep(sys.argv[1])
