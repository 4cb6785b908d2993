"""A run for people who read it in a pipe, a file or a build log: a line for each job, and at the end what matters."""

from typing import TYPE_CHECKING, TextIO

from outspread.cli.end_report import EndReport
from outspread.cli.job_lines import discard_line, job_line, machine_line, run_line
from outspread.cli.live_lines import LiveLines
from outspread.cli.terminal_text import shown_text
from outspread.controller.values import AttemptFinished, Report, RunStarted, ShellOpened, StepOutput

if TYPE_CHECKING:
    from outspread.cli.tally import Tally


class PlainView:
    """Writes to ``out``; from the first ``-v`` on also what happens to machines, from the second on each script."""

    def __init__(self, out: TextIO, report: EndReport, *, verbosity: int = 0, may_leave_machines: bool = False) -> None:
        self._out = out
        self._report = report
        self._verbosity = verbosity
        self._may_leave_machines = may_leave_machines
        self._total = 0
        self._live = LiveLines()

    def feed(self, event: Report) -> None:
        self._report.feed(event)
        self._live.feed(event)
        match event:
            case StepOutput():
                for line in self._report.harmless(map(shown_text, self._live.lines(event))):
                    self._line(line)
            case RunStarted():
                self._total = event.total_jobs
                self._line(run_line(event))
                if self._may_leave_machines:
                    self._line(discard_line(event.run_id))
            case AttemptFinished():
                digits = len(str(self._total))
                self._line(f"[{self._report.outcomes.tried:{digits}}/{self._total}] {job_line(event)}")
            case _:
                if isinstance(event, ShellOpened):
                    for line in self._report.failure_before(event):
                        self._line(line)
                if line := machine_line(event, self._verbosity):
                    self._line(line)

    def finish(self, tally: "Tally") -> None:
        for line in self._report.lines():
            self._line(line)

    def _line(self, line: str) -> None:
        self._out.write(f"{line}\n")
        self._out.flush()
