"""Counting what came of a run, as Spread counts in its summary (specs/spread.md, section 10). Pure: events in, figures out.

*Successful tasks*: each passed execution, so one job counts once for each pass under ``repeat``, also when its restore or a later
pass fails. A StepFinished of an execute script stands for one. A task without that script has none: there the finished attempt
stands for all its passes, ``repeat`` + 1. What an attempt passed counts when it is finished, and not at all when it ended without
a verdict, for then the job is done again.

*Aborted tasks*: attempts that never came to execute or were cancelled, and at the end the jobs that nobody tried.

*Failed ...*: each failed script, by verb and level, as ``backend:system:what``; ``what`` is the task and its variant, the suite
with its slash, the backend's name, or ``project``. Sample numbers are not shown. Checks for skipping cannot fail.

*Skipped* are jobs and suites that a condition of their own left out. A suite counts once for each system, however many sessions
asked.

*Without verdict* is ours: jobs whose last attempt ended for a reason of the infrastructure.
"""

from typing import Final

from msgspec import Struct

from outspread.controller.values import (
    AttemptFinished,
    Level,
    Outcome,
    Report,
    RunFinished,
    RunOptions,
    RunStarted,
    StepFinished,
    Verb,
)

_FAILURES: Final = frozenset({Outcome.FAILED, Outcome.TIMEOUT})

#: The scripts whose failures are counted, in the order of the summary.
_COUNTED: Final = (
    ("Failed tasks", Verb.EXECUTE, Level.TASK),
    ("Failed task prepare", Verb.PREPARE, Level.TASK),
    ("Failed task restore", Verb.RESTORE, Level.TASK),
    ("Failed suite prepare", Verb.PREPARE, Level.SUITE),
    ("Failed suite restore", Verb.RESTORE, Level.SUITE),
    ("Failed backend prepare", Verb.PREPARE, Level.BACKEND),
    ("Failed backend restore", Verb.RESTORE, Level.BACKEND),
    ("Failed project prepare", Verb.PREPARE, Level.PROJECT),
    ("Failed project restore", Verb.RESTORE, Level.PROJECT),
)


class TallySection(Struct, frozen=True):
    """One counter of the summary with the names behind it, sorted; a name is there as often as it counted."""

    title: str
    names: tuple[str, ...]


class Skipped(Struct, frozen=True):
    """A job or suite that one of its conditions skipped, as ``backend:system:what``."""

    name: str
    reason: str


class Tally:
    """The figures of one run; feed it every event from RunStarted on."""

    def __init__(self, options: RunOptions) -> None:
        self._options = options
        self._total_jobs = 0
        self._decided = 0
        self._passes: dict[str, int] = {}  # of attempts not finished
        self._undecided: set[str] = set()
        self._failures: dict[tuple[Verb, Level], list[str]] = {(verb, level): [] for _, verb, level in _COUNTED}
        self._skipped: list[Skipped] = []
        self._checked_suites: dict[str, str] = {}  # job whose suite was checked: the suite
        self._skipped_suites: dict[str, str] = {}  # suite: why
        self._successful = 0
        self._aborted = 0
        self._untried = 0

    @property
    def successful(self) -> int:
        return self._successful

    @property
    def aborted(self) -> int:
        return self._aborted + self._untried

    @property
    def failures(self) -> tuple[TallySection, ...]:
        """The counters of failed scripts that are not zero, in Spread's order."""
        return tuple(
            TallySection(title, tuple(sorted(names))) for title, verb, level in _COUNTED if (names := self._failures[verb, level])
        )

    @property
    def without_verdict(self) -> tuple[str, ...]:
        """The jobs whose last attempt said nothing about them, sorted."""
        return tuple(sorted(self._undecided))

    @property
    def skipped(self) -> tuple[Skipped, ...]:
        """The jobs that were skipped, by name."""
        return tuple(sorted(self._skipped, key=lambda skipped: skipped.name))

    @property
    def skipped_suites(self) -> tuple[Skipped, ...]:
        """The suites that were skipped, by name."""
        return tuple(Skipped(name, reason) for name, reason in sorted(self._skipped_suites.items()))

    def add(self, event: Report) -> None:
        """Count one event."""
        match event:
            case RunStarted():
                self._total_jobs = event.total_jobs
            case StepFinished():
                self._step_finished(event)
            case AttemptFinished():
                self._attempt_finished(event)
            case RunFinished() if not self._options.restore_only:
                self._untried = max(0, self._total_jobs - self._decided - len(self._undecided))
            case _:
                pass

    def _step_finished(self, step: StepFinished) -> None:
        if step.outcome in _FAILURES:
            names = self._failures.get((step.verb, step.level))
            if names is not None:
                names.append(f"{step.backend}:{step.system}:{_what(step)}")
        if step.verb is Verb.CHECK and step.level is Level.SUITE:
            self._checked_suites[step.job] = f"{step.backend}:{step.system}:{step.suite}"
        if step.verb is Verb.EXECUTE and step.outcome is Outcome.PASSED:
            self._passes[step.job] = self._passes.get(step.job, 0) + 1

    def _attempt_finished(self, attempt: AttemptFinished) -> None:
        passes = self._passes.pop(attempt.job, 0)
        suite = self._checked_suites.pop(attempt.job, "")
        self._undecided.discard(attempt.job)
        if attempt.outcome is Outcome.INFRA:
            self._undecided.add(attempt.job)
            return
        self._decided += 1
        if attempt.outcome is Outcome.SKIPPED:
            self._skipped.append(Skipped(attempt.job.partition("#")[0], attempt.reason))
            if suite and attempt.level is Level.SUITE:
                self._skipped_suites[suite] = attempt.reason
        if self._options.restore_only:
            return
        executed = attempt.outcome is Outcome.PASSED or (attempt.outcome in _FAILURES and attempt.verb is Verb.RESTORE)
        if executed and not passes:
            passes = 1 + (self._options.repeat if attempt.outcome is Outcome.PASSED else 0)
        self._successful += passes
        unprepared = attempt.outcome in _FAILURES and attempt.verb is Verb.PREPARE
        self._aborted += attempt.outcome in {Outcome.ABORTED, Outcome.CANCELLED} or unprepared


def _what(step: StepFinished) -> str:
    match step.level:
        case Level.PROJECT:
            return "project"
        case Level.BACKEND:
            return step.backend
        case Level.SUITE:
            return step.suite
        case Level.TASK:
            return step.job.removeprefix(f"{step.backend}:{step.system}:").partition("#")[0]
