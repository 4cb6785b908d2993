"""Giving machines back, as ``outspread discard`` shows it."""

import sys

from outspread.cli.job_lines import one_line
from outspread.controller.values import MachineFailed, MachineGone, MachineProgress, Report


def show_discarding(event: Report) -> None:
    """Print a line for a machine that was given back, or could not be."""
    match event:
        case MachineGone(machine=machine):
            print(f"{machine}: given back", flush=True)
        case MachineFailed(reason=reason):
            print(f"error: {one_line(reason)}", file=sys.stderr)
        case MachineProgress(backend=backend, system=system, text=text):
            print(f"{backend}:{system}: {text}", file=sys.stderr)
        case _:
            pass
