"""A controller of the tests' own, in memory: the command port, whose jobs do what their command's first word says.

``pass``, ``fail`` and ``lose`` end so; ``flaky`` fails once; ``wait`` stays queued until the run is cancelled. Each call of
``progress`` lets the next attempt end.
"""

from msgspec import structs

from outspread.controller.command_values import (
    CommandAttempt,
    CommandJob,
    CommandJobStatus,
    CommandRun,
    CommandRunStatus,
    FlakyJob,
    JobCounts,
    JobPage,
    LogPart,
    RunProgress,
    SlotsNeeded,
    WorkerStatus,
)
from outspread.controller.farm_figures import FarmFigures, LaneFigures, LatencyFigures
from outspread.controller.values import JobState, Outcome
from outspread.errors import ConflictError, NotFoundError

OUTCOMES = {"pass": Outcome.PASSED, "fail": Outcome.FAILED, "lose": Outcome.INFRA}
BEGAN_AT = 1_790_000_000.0


class MemoryRun:
    """A run, its jobs and what became of them."""

    def __init__(self, submitted: CommandRun) -> None:
        self.submitted = submitted
        self.ended: list[CommandAttempt] = []
        self.attempts: dict[int, list[CommandAttempt]] = {number: [] for number in range(len(submitted.jobs))}
        self.outcomes: dict[int, Outcome] = {}
        self.cancel_reason = ""

    def step(self) -> None:
        """Let the next attempt end."""
        for number, job in enumerate(self.submitted.jobs):
            if number not in self.outcomes and job.command[0] != "wait":
                self._attempt(number, job)
                return

    def _attempt(self, number: int, job: CommandJob) -> None:
        attempt = len(self.attempts[number]) + 1
        outcome = (
            OUTCOMES["fail" if attempt == 1 else "pass"]
            if job.command[0] == "flaky"
            else OUTCOMES.get(job.command[0], Outcome.PASSED)
        )
        decides = job.command[0] != "flaky" or attempt == 2
        log = self.log(number)
        over = CommandAttempt(
            attempt_id=f"{self.submitted.run_id}.{number}.{attempt}",
            job=job.name,
            number=number,
            attempt=attempt,
            worker="ann",
            outcome=outcome,
            started_at=BEGAN_AT,
            finished_at=BEGAN_AT + 1,
            run_s=1.0,
            exit_code=int(outcome is Outcome.FAILED),
            reason="" if outcome is Outcome.PASSED else "exit code 1",
            log_bytes=len(log),
            decides=decides,
        )
        self.ended.append(over)
        self.attempts[number].append(over)
        if decides:
            self.outcomes[number] = outcome

    def log(self, number: int) -> bytes:
        return b"".join(f"{word}\n".encode() for word in self.submitted.jobs[number].command)

    @property
    def state(self) -> str:
        if len(self.outcomes) == len(self.submitted.jobs):
            return "done"
        return "cancelled" if self.cancel_reason else "running"

    def status(self) -> CommandRunStatus:
        outcomes = list(self.outcomes.values())
        left = len(self.submitted.jobs) - len(outcomes)
        over = self.state != "running"
        counts = JobCounts(
            total=len(self.submitted.jobs),
            queued=0 if over else left,
            passed=outcomes.count(Outcome.PASSED),
            failed=outcomes.count(Outcome.FAILED),
            infra=outcomes.count(Outcome.INFRA),
            cancelled=left if over else 0,
            flaky=sum(len(attempts) == 2 for attempts in self.attempts.values()),
            retried=sum(max(0, len(attempts) - 1) for attempts in self.attempts.values()),
        )
        run = self.submitted
        return CommandRunStatus(
            run.run_id,
            run.name,
            run.owner,
            run.project,
            self.state,
            counts,
            BEGAN_AT,
            BEGAN_AT + 10 if over else None,
            self.cancel_reason,
        )

    def job(self, number: int) -> CommandJobStatus:
        outcome = self.outcomes.get(number)
        state = JobState.DONE if outcome else JobState.CANCELLED if self.state == "cancelled" else JobState.QUEUED
        attempts = tuple(self.attempts[number])
        return CommandJobStatus(
            run_id=self.submitted.run_id,
            number=number,
            name=self.submitted.jobs[number].name,
            state=state,
            outcome=outcome,
            flaky=len(attempts) == 2,
            reason="",
            priority=0,
            attempts=attempts,
            waiting="no worker has os=plan9" if state is JobState.QUEUED else "",
        )


class MemoryPort:
    """What clients see of a controller."""

    def __init__(self) -> None:
        self.runs: dict[str, MemoryRun] = {}
        self.held: dict[str, str] = {}
        self.page_jobs = 2
        self.interrupted = False

    async def submit_commands(self, run: CommandRun) -> CommandRunStatus:
        known = self.runs.setdefault(run.run_id, MemoryRun(run))
        if known.submitted != run:
            raise ConflictError(f"cannot submit run {run.run_id}: there is another of this id")
        return known.status()

    async def cancel(self, run_id: str, reason: str) -> None:
        self._run(run_id).cancel_reason = reason

    async def command_runs(self, *, limit: int = 20, before: float | None = None, owner: str = "") -> list[CommandRunStatus]:
        runs = [run.status() for run in self.runs.values() if owner in ("", run.submitted.owner)]
        return runs[::-1][:limit]

    async def progress(self, run_id: str, *, cursor: int = 0, wait_s: float = 0.0) -> RunProgress:
        if self.interrupted:
            raise KeyboardInterrupt
        run = self._run(run_id)
        run.step()
        return RunProgress(run.status(), len(run.ended), tuple(run.ended[cursor:]))

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
        run = self._run(run_id)
        jobs = [run.job(number) for number in run.attempts if number > after]
        jobs = [job for job in jobs if state in (None, job.state) and outcome in (None, job.outcome) and text in job.name]
        page = jobs[: min(limit, self.page_jobs)]
        return JobPage(tuple(page), page[-1].number if len(page) < len(jobs) else None)

    async def job(self, run_id: str, name_or_number: str | int) -> CommandJobStatus:
        run = self._run(run_id)
        for number, job in enumerate(run.submitted.jobs):
            if name_or_number in (number, job.name):
                return run.job(number)
        raise NotFoundError(f"cannot find job {name_or_number}")

    async def submission(self, run_id: str, numbers: tuple[int, ...]) -> CommandRun:
        run = self._run(run_id).submitted
        return structs.replace(run, jobs=tuple(run.jobs[number] for number in numbers))

    async def log_part(self, attempt_id: str, *, offset: int = 0, limit: int = 1024 * 1024, wait_s: float = 0.0) -> LogPart:
        run_id, number, _ = attempt_id.rsplit(".", 2)
        log = self._run(run_id).log(int(number))
        data = log[offset : offset + limit]
        return LogPart(offset, data, len(log), offset + len(data) == len(log))

    async def workers(self) -> list[WorkerStatus]:
        return [WorkerStatus("ann", {"os": "linux"}, 2, (), connected=True, last_heard_s=1.0, hold=self.held.get("ann", ""))]

    async def figures(self) -> FarmFigures:
        waiting = sum(status.counts.queued for status in (run.status() for run in self.runs.values()))
        return FarmFigures(
            lanes=(LaneFigures("os=plan9", waiting, 3.0),) if waiting else (),
            running=0,
            workers_connected=1,
            workers_held=len(self.held),
            slots=2,
            runs=len(self.runs),
            attempts={},
            claims=0,
            leases_lost=0,
            commits=0,
            commit=LatencyFigures(),
            exchange=LatencyFigures(),
        )

    async def slots_needed(self, run_id: str, *, within_s: float) -> SlotsNeeded:
        left = self._run(run_id).status().counts.queued
        return SlotsNeeded(left, left, float(left), 1.0, left if within_s >= 1 else None, 2, left / 2)

    async def hold_worker(self, name: str, *, reason: str, for_s: float) -> None:
        if name != "ann":
            raise NotFoundError(f"cannot hold {name}: there is no such worker")
        self.held[name] = reason if for_s else ""

    async def job_history(self, project: str, key: str, *, limit: int = 20) -> list[CommandAttempt]:
        runs = [run for run in self.runs.values() if run.submitted.project == project]
        return [attempt for run in runs[::-1] for attempt in run.ended[::-1] if attempt.job == key][:limit]

    async def flaky_jobs(self, *, project: str | None = None, since: float = 0.0, limit: int = 100) -> list[FlakyJob]:
        return [
            FlakyJob(run.submitted.project, job.name, 1, 1, job.run_id, job.number)
            for run in self.runs.values()
            for job in map(run.job, run.attempts)
            if job.flaky
        ]

    def _run(self, beginning: str) -> MemoryRun:
        for run_id, run in self.runs.items():
            if run_id.startswith(beginning):
                return run
        raise NotFoundError(f"cannot find run {beginning}")
