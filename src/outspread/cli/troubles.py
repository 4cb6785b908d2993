"""What went wrong in a run, gathered from its events and kept small: the material of every report at the end."""

from collections import Counter

from msgspec import Struct
from msgspec.structs import replace

from outspread.cli.job_lines import one_line
from outspread.cli.terminal_text import last_lines, shown_text
from outspread.controller.values import (
    ArtifactsFetched,
    AttemptFinished,
    DebugFinished,
    Level,
    MachineFailed,
    Outcome,
    Report,
    SeatClosed,
    StepFinished,
    Verb,
)

TRACE_LINES = 40
KEPT_LINES = 2000  # of a trace, to be shown when it can be read nowhere else
DETAILED = 20  # troubles kept, and shown, with their traces; more would hide each other
_LONGEST_LINE = 2000
_TRACE_CHARACTERS = 256 * 1024  # what is looked at to find the last lines


class Trace(Struct, frozen=True):
    """The end of an output, fit to be shown, and how many lines stood before it."""

    lines: tuple[str, ...] = ()
    left_out: int = 0

    def end(self, lines: int) -> "Trace":
        """Return the last ``lines`` lines."""
        left_out = max(0, len(self.lines) - lines)
        return Trace(self.lines[left_out:], self.left_out + left_out)


class Trouble(Struct, frozen=True):
    """One script that failed, or one machine that was lost under a job."""

    context: str
    job: str
    what: str  # "execute failed", "restore of the suite timed out", "machine lost"
    machine: str
    reason: str
    trace: Trace = Trace()
    debug: Trace = Trace()


class Troubles:
    """Folds events into the troubles of a run, in the order in which they came."""

    def __init__(self) -> None:
        self._troubles: list[Trouble] = []
        self._with_step: set[str] = set()  # jobs whose failure a script reported
        self._machines: list[str] = []
        self._aborted: dict[str, list[str]] = {}  # by reason
        self._early_ends: list[str] = []
        self.failed_scripts: Counter[Verb] = Counter()  # that no job's outcome tells of
        self.missing_artifacts: dict[str, tuple[str, ...]] = {}
        self.artifact_errors: list[str] = []

    def feed(self, event: Report) -> None:
        match event:
            case StepFinished(outcome=outcome) if outcome is not Outcome.PASSED:
                self._with_step.add(event.job)
                if event.verb is Verb.RESTORE or event.level is not Level.TASK:
                    self.failed_scripts[event.verb] += 1
                self._keep(_of_step(event))
            case DebugFinished():
                self._add_debug(event)
            case AttemptFinished(outcome=Outcome.ABORTED):
                self._aborted.setdefault(one_line(event.reason), []).append(event.job)
            case SeatClosed(reason=reason) if reason:
                self._ended_early(event)
            case AttemptFinished(outcome=Outcome.INFRA):
                self._keep(Trouble(event.job, event.job, "machine lost", event.machine, shown_text(event.reason)))
            case AttemptFinished(outcome=Outcome.FAILED | Outcome.TIMEOUT) if event.job not in self._with_step:
                what = "failed" if event.outcome is Outcome.FAILED else "timed out"
                trouble = Trouble(event.job, event.job, f"{event.verb} {what}", event.machine, shown_text(event.reason))
                self._keep(trouble)
            case MachineFailed(final=True):
                self._machines.append(f"{event.backend}:{event.system}: {shown_text(event.reason)}")
            case ArtifactsFetched():
                if event.missing:
                    self.missing_artifacts[event.job] = tuple(map(one_line, event.missing))
                if event.error:
                    self.artifact_errors.append(shown_text(event.error))
            case _:
                pass

    def all(self) -> list[Trouble]:
        return list(self._troubles)

    def machines(self) -> list[str]:
        """Return why machines were given up, each reason once."""
        return list(dict.fromkeys(self._machines))

    def aborted(self) -> dict[str, list[str]]:
        """Return the jobs that were taken up but never begun, by the reason."""
        return self._aborted

    def early_ends(self) -> list[str]:
        """Return why sessions ended before their work was done, each reason once."""
        return list(dict.fromkeys(self._early_ends))

    def _ended_early(self, event: SeatClosed) -> None:
        self._early_ends.append(one_line(event.reason))
        reason = shown_text(event.reason)
        if event.lost and not any(trouble.reason == reason for trouble in self._troubles):  # no job tells of it
            self._machines.append(f"machine lost: {reason}")

    def _keep(self, trouble: Trouble) -> None:
        """Keep a trouble; of those that are only named in the report, the latest alone has its trace."""
        if len(self._troubles) > DETAILED:
            self._troubles[-1] = replace(self._troubles[-1], trace=Trace(), debug=Trace())
        self._troubles.append(trouble)

    def _add_debug(self, event: DebugFinished) -> None:
        """Put debug output to the trouble that it explains: the last one of the same subject."""
        for place in reversed(range(len(self._troubles))):
            trouble = self._troubles[place]
            if trouble.context == event.context and trouble.machine == event.machine:
                self._troubles[place] = replace(trouble, debug=trace_of(event.output, KEPT_LINES))
                return


def trace_of(output: str, lines: int = TRACE_LINES) -> Trace:
    """Return the last ``lines`` lines of ``output`` without anything that could harm a terminal."""
    before = output[:-_TRACE_CHARACTERS].count("\n")
    shown, left_out = last_lines(shown_text(output[-_TRACE_CHARACTERS:]), lines)
    cut = tuple(
        line if len(line) <= _LONGEST_LINE else f"{line[:_LONGEST_LINE]}(... {len(line) - _LONGEST_LINE} more)" for line in shown
    )
    return Trace(cut, before + left_out)


def _of_step(event: StepFinished) -> Trouble:
    level = "" if event.context == event.job else f" of the {event.level}"
    end = "timed out" if event.outcome is Outcome.TIMEOUT else "failed"
    return Trouble(
        context=event.context,
        job=event.job,
        what=f"{event.verb}{level} {end}",
        machine=event.machine,
        reason=shown_text(event.reason).strip(),
        trace=Trace() if event.error_text else trace_of(event.output, KEPT_LINES),
    )
