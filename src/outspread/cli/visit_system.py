"""``outspread shell`` on a machine that is got for it: a run without jobs, shown without what is said of jobs."""

from typing import TYPE_CHECKING, TextIO

from outspread.cli.carry_out import carry_out
from outspread.cli.choose_view import stdout_for
from outspread.cli.held_output import HeldOutput
from outspread.cli.job_lines import discard_line, machine_line
from outspread.cli.keep_wish import KeepWish
from outspread.cli.keepable import machines_may_be_left
from outspread.cli.program_end import INTERRUPTED
from outspread.cli.selection import Selection, Wish, select
from outspread.controller.values import Report, RunOptions, RunStarted, ShellClosed
from outspread.errors import UserError

if TYPE_CHECKING:
    from outspread.cli.tally import Tally

_NAMED = 10


class VisitView:
    """Says what is worth a line on the way to the shell; ``opened`` tells whether there was one."""

    def __init__(self, out: TextIO, *, verbosity: int, may_leave_machines: bool) -> None:
        self._out = out
        self._verbosity = verbosity
        self._may_leave_machines = may_leave_machines
        self.opened = False

    def feed(self, event: Report) -> None:
        match event:
            case RunStarted(run_id=run_id):
                self._line(discard_line(run_id) if self._may_leave_machines else "")
            case _:
                self.opened = self.opened or (isinstance(event, ShellClosed) and not event.reason.startswith("cannot"))
                self._line(machine_line(event, self._verbosity))

    def finish(self, tally: "Tally") -> None:
        """Nothing is said at the end."""

    def _line(self, line: str) -> None:
        if line:
            self._out.write(f"{line}\n")
            self._out.flush()


def visit_system(wish: Wish, keep: KeepWish, *, verbosity: int) -> int:
    """Return the exit code: 0 when there was a shell, 1 when not, 130 when interrupted."""
    selection = _of_one_system(select(wish))
    (job,) = selection.jobs
    may_leave_machines = not keep.reuse and machines_may_be_left(selection)
    out = HeldOutput(stdout_for("replace"))
    view = VisitView(out.text, verbosity=verbosity, may_leave_machines=may_leave_machines)
    end = carry_out(
        selection,
        RunOptions(visit=(job.backend, job.system)),
        [view],
        artifacts="",
        keep=keep,
        out=out,
        discard_command="outspread discard --orphans" if may_leave_machines else "",
    )
    if end.interrupted:
        return INTERRUPTED
    return 0 if end.passed and view.opened else 1


def _of_one_system(selection: Selection) -> Selection:
    """Return a selection of one job, which stands for its system. Raises UserError when there are several systems."""
    first_of = {f"{job.backend}:{job.system}": job for job in reversed(selection.jobs)}
    if len(first_of) > 1:
        names = ", ".join(sorted(first_of)[:_NAMED]) + (", ..." if len(first_of) > _NAMED else "")
        raise UserError(f"cannot tell which system is meant: {names}", hint="name one of them")
    return selection._replace(jobs=tuple(first_of.values()))
