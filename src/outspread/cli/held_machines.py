"""Notices whether a run has left machines that are held."""

from typing import TYPE_CHECKING

from outspread.controller.values import MachineKept, Report, RunStarted

if TYPE_CHECKING:
    from outspread.cli.tally import Tally


class HeldMachines:
    """A renderer that shows nothing. ``run_id`` is that of a run with held machines, or ""."""

    def __init__(self) -> None:
        self.run_id = ""
        self._run_id = ""

    def feed(self, event: Report) -> None:
        match event:
            case RunStarted(run_id=run_id):
                self._run_id = run_id
            case MachineKept(reason=reason) if reason:
                self.run_id = self._run_id
            case _:
                pass

    def finish(self, tally: "Tally") -> None:
        """Nothing is said at the end."""
