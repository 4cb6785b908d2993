"""What is printed when a run is over: first what failed, with what it takes to understand and repeat it, then the counts."""

import shlex
from collections.abc import Callable, Iterable, Iterator

from msgspec import Struct
from msgspec.structs import replace

from outspread.cli.github_actions import GithubActions
from outspread.cli.job_counts import JobOutcomes, job_count
from outspread.cli.job_lines import short_id
from outspread.cli.spans import span
from outspread.cli.troubles import DETAILED, KEPT_LINES, TRACE_LINES, Trace, Trouble, Troubles
from outspread.controller.values import Report, RunFinished, RunStarted, ShellOccasion, ShellOpened

NAMED = 200  # troubles, or jobs, named at all


class RunStory(Struct, frozen=True):
    """What the report knows of the run as a whole. ``again`` are the options that a repetition needs, too."""

    run_id: str = ""
    seed: int = 0
    seed_matters: bool = False
    began_at: float = 0.0
    duration_s: float | None = None
    again: tuple[str, ...] = ()


class EndReport:
    """Gathers what the report says. ``again``: options that a repetition of a single job needs beside the seed.

    ``restoring``: jobs are restored only, so that none of them can pass. ``is_recorded`` tells, whenever something is to be
    shown, whether the rest of it can be found in the history.
    """

    def __init__(
        self,
        *,
        again: tuple[str, ...] = (),
        github: GithubActions | None = None,
        restoring: bool = False,
        is_recorded: Callable[[], bool] = lambda: True,
    ) -> None:
        self._story = RunStory(again=again)
        self._github = github
        self._is_recorded = is_recorded
        self._latest = 0.0
        self.passed_word = "restored" if restoring else "passed"
        self.troubles = Troubles()
        self.outcomes = JobOutcomes()

    def feed(self, event: Report) -> None:
        self.troubles.feed(event)
        self.outcomes.feed(event)
        self._latest = event.at
        match event:
            case RunStarted(run_id=run_id, seed=seed, seed_matters=matters, at=at):
                self._story = replace(self._story, run_id=run_id, seed=seed, seed_matters=matters, began_at=at)
            case RunFinished(duration_s=duration_s):
                self._story = replace(self._story, duration_s=duration_s)
            case _:
                pass

    def lines(self) -> Iterator[str]:
        """Yield the lines of the report."""
        troubles = self.troubles.all()
        for trouble in troubles[:DETAILED]:
            yield ""
            block = self._block(trouble)
            yield from self._github.trouble(trouble, block) if self._github else block
        if len(troubles) > DETAILED:
            yield ""
            yield f"and {len(troubles) - DETAILED} more failures:"
            yield from (f"  {_headline(trouble)}" for trouble in troubles[DETAILED : DETAILED + NAMED])
            if len(troubles) > DETAILED + NAMED:
                yield f"  ... and {len(troubles) - DETAILED - NAMED} more{self._in_history(' (all: {})')}"
        yield from self._aborted()
        yield from self._other_faults()
        yield ""
        took_s = self._latest - self._story.began_at if self._story.duration_s is None else self._story.duration_s
        if troubles and (logs := self._in_history("logs: {}")):
            yield logs
        scripts = "".join(
            f"; {count} {verb}{'s' if count > 1 else ''} failed" for verb, count in self.troubles.failed_scripts.items()
        )
        took = f" in {span(took_s)}" if self._story.run_id else ""
        yield f"{self.outcomes.counts().sentence(self.passed_word)}{scripts}{took}"

    def failure_before(self, event: ShellOpened) -> Iterator[str]:
        """Yield what the report will say of the failure that a shell is opened for."""
        if event.occasion is not ShellOccasion.DEBUG:
            return
        for trouble in reversed(self.troubles.all()):
            if (trouble.context, trouble.machine) == (event.context, event.machine):
                yield from self._block(trouble)
                return

    def harmless(self, lines: Iterable[str]) -> Iterator[str]:
        """Yield lines that a script printed, kept from being read as commands where the log has such."""
        yield from self._github.harmless(lines) if self._github else lines

    def _block(self, trouble: Trouble) -> Iterator[str]:
        yield _headline(trouble)
        yield f"  on {trouble.machine}"
        shown = TRACE_LINES if self._is_recorded() else KEPT_LINES
        trace = trouble.trace.end(shown)
        if trace.left_out:
            # Only jobs have a log of their own to be found by.
            where = self._in_history(f"; all: {{}} --log {shlex.quote(trouble.job)}") if trouble.job else ""
            yield f"  ({trace.left_out} lines above{where})"
        yield from _indented(trace)
        if trouble.debug.lines:
            yield "  debug output:"
            yield from _indented(trouble.debug.end(shown))
        missing = self.troubles.missing_artifacts.get(trouble.job)
        if missing:
            yield f"  artifacts that are not there: {', '.join(missing)}"
        if trouble.job:
            yield f"  again: {self._again(trouble.job)}"

    def _in_history(self, text: str) -> str:
        """Return ``text`` with the command that shows this run in place of ``{}``, or "" when the history does not have it."""
        return text.replace("{}", f"outspread history {short_id(self._story.run_id)}", 1) if self._is_recorded() else ""

    def _again(self, job: str) -> str:
        seed = ("--seed", str(self._story.seed)) if self._story.seed_matters else ()
        return shlex.join(("outspread", "run", *seed, *self._story.again, job))

    def _aborted(self) -> Iterator[str]:
        """Yield which jobs were never begun, and why."""
        for reason, jobs in self.troubles.aborted().items():
            yield ""
            yield f"ABORTED: {reason}"
            yield from (f"  {job}" for job in jobs[:NAMED])
            if len(jobs) > NAMED:
                yield f"  ... and {len(jobs) - NAMED} more"
        counts = self.outcomes.counts()
        untried = counts.total - self.outcomes.tried
        if untried > 0:
            yield ""
            why = "; ".join(self.troubles.early_ends()) or "the run ended before"
            yield f"NOT BEGUN: {job_count(untried)}: {why}{self._in_history(' (named by: {})')}"

    def _other_faults(self) -> Iterator[str]:
        failed = {trouble.job for trouble in self.troubles.all()[:DETAILED]}  # their blocks say it
        lacking = [
            f"artifacts of {job} that are not there: {', '.join(names)}"
            for job, names in self.troubles.missing_artifacts.items()
            if job not in failed
        ]
        faults = [*self.troubles.machines(), *self.troubles.artifact_errors, *lacking[:NAMED]]
        if faults:
            yield ""
            yield from (f"trouble: {fault}" for fault in faults)


def _headline(trouble: Trouble) -> str:
    return f"FAILED {trouble.context}: {trouble.what}" + (f": {trouble.reason}" if trouble.reason else "")


def _indented(trace: Trace) -> Iterator[str]:
    yield from (f"  | {line}".rstrip() for line in trace.lines)
