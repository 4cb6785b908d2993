"""The command port: the door through which clients submit command jobs and learn what became of them.

Two implementations: the controller itself, and its HTTP API seen from afar. Runs are named by their whole id, or by a beginning
that no other has; UserError for one that is not known. What is asked of a controller that cannot answer now is an
InfrastructureError.
"""

from typing import Protocol

from outspread.controller.command_values import (
    CommandAttempt,
    CommandJobStatus,
    CommandRun,
    CommandRunStatus,
    FlakyJob,
    JobPage,
    LogPart,
    RunProgress,
    SlotsNeeded,
    WorkerStatus,
)
from outspread.controller.farm_figures import FarmFigures
from outspread.controller.values import JobState, Outcome


class CommandPort(Protocol):
    """What a controller does for those who submit command jobs."""

    async def submit_commands(self, run: CommandRun) -> CommandRunStatus:
        """Accept a run, durable when this returns. Same id and content again: nothing changes; other content: UserError."""
        ...

    async def cancel(self, run_id: str, reason: str) -> None:
        """Let no job of the run begin any more and stop those that run. Final, idempotent, durable when this returns."""
        ...

    async def command_runs(self, *, limit: int = 20, before: float | None = None, owner: str = "") -> list[CommandRunStatus]:
        """Return runs, newest first; those submitted ``before`` a time, of one ``owner``, if named."""
        ...

    async def progress(self, run_id: str, *, cursor: int = 0, wait_s: float = 0.0) -> RunProgress:
        """Return what happened since ``cursor``; held back up to ``wait_s`` while nothing has and the run goes on."""
        ...

    async def jobs(
        self,
        run_id: str,
        *,
        after: int = -1,
        limit: int = 100,
        state: JobState | None = None,
        outcome: Outcome | None = None,
        flaky: bool | None = None,
        text: str = "",
    ) -> JobPage:
        """Return jobs of a run that are so, whose number is above ``after``, in the order of submission, with their attempts."""
        ...

    async def job(self, run_id: str, name_or_number: str | int) -> CommandJobStatus:
        """Return one job, with why it waits if it does; UserError when the run has none of this name or number."""
        ...

    async def slots_needed(self, run_id: str, *, within_s: float) -> SlotsNeeded:
        """Return how many slots it takes to finish a run within a time; UserError when that is not above 0."""
        ...

    async def figures(self) -> FarmFigures:
        """Return how the farm goes."""
        ...

    async def submission(self, run_id: str, numbers: tuple[int, ...]) -> CommandRun:
        """Return a run as it was submitted, with the jobs of these numbers only: what a rerun is made of."""
        ...

    async def log_part(self, attempt_id: str, *, offset: int = 0, limit: int = 1024 * 1024, wait_s: float = 0.0) -> LogPart:
        """Return a part of an attempt's log; held back up to ``wait_s`` while there is none after ``offset`` and it goes on."""
        ...

    async def workers(self) -> list[WorkerStatus]:
        """Return the workers that have spoken, by name."""
        ...

    async def hold_worker(self, name: str, *, reason: str, for_s: float) -> None:
        """Let a worker take no more work for so long; 0 ends the hold. UserError when it is not known."""
        ...

    async def job_history(self, project: str, key: str, *, limit: int = 20) -> list[CommandAttempt]:
        """Return the last attempts of the jobs of this project and key, newest first."""
        ...

    async def flaky_jobs(self, *, project: str | None = None, since: float = 0.0, limit: int = 100) -> list[FlakyJob]:
        """Return keys whose jobs passed only after a failure, the most often first."""
        ...
