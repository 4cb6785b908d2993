"""Our program with leases of so many seconds: shorter than they are, for tests that wait for them to run out.

The environment may ask for more: ``OUTSPREAD_TEST_CLOCK`` is a file that says how many seconds the time of day is off, read each
time somebody asks for it; ``OUTSPREAD_TEST_DIES=POINT:N`` has the program kill itself the Nth time it passes one of ``POINTS``.
"""

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

#: Where a controller may die: (module, class or nothing, function, whether before or after it).
POINTS = {
    "begin": ("controller.farm.farm_ledger", "FarmLedger", "_write", "before"),
    "changes": ("controller.farm.farm_recorder", "FarmRecorder", "apply", "before"),
    "commit": ("controller.attempt_logs", "AttemptLogs", "sync", "after"),
    "answer": ("controller.farm.farm_ledger", "FarmLedger", "_tell", "before"),
    "restart": ("controller.farm.farm_ledger", "FarmLedger", "_open_here", "before"),
    "cell": ("controller.farm.farm_ledger", "FarmLedger", "_take_cell", "after"),
    "replay": ("controller.farm.farm_controller", "", "restore", "after"),
}


def die_at(point: str, passes: int) -> None:
    """Have this process kill itself there."""
    from importlib import import_module

    module, owner, name, when = POINTS[point]
    holder = import_module(f"outspread.{module}")
    holder = getattr(holder, owner) if owner else holder
    original: Callable[..., Any] = getattr(holder, name)
    left = passes

    def dying(*arguments: Any, **named: Any) -> Any:
        nonlocal left
        left -= 1
        if not left and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = original(*arguments, **named)
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(holder, name, dying)


def shift_the_clock(file: Path) -> None:
    """Have the time of day be off by what a file says."""
    real = time.time
    time.time = lambda: real() + float(file.read_text() or 0)


def main() -> None:
    """Run the program."""
    if clock := os.environ.get("OUTSPREAD_TEST_CLOCK"):
        shift_the_clock(Path(clock))
    from outspread.controller import command_values

    lease_s = float(sys.argv.pop(1))
    # Before anybody else imports them.
    command_values.LEASE_S = lease_s  # type: ignore[misc]
    command_values.RENEW_S = lease_s / 3  # type: ignore[misc]
    command_values.CONFIRM_S = lease_s / 3  # type: ignore[misc]
    if dies := os.environ.get("OUTSPREAD_TEST_DIES"):
        point, _, passes = dies.partition(":")
        die_at(point, int(passes))
    from outspread.cli.entry import outspread

    sys.argv = ["outspread", *sys.argv[1:]]
    outspread()


if __name__ == "__main__":
    main()
