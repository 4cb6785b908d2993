"""The controller of a farm: the worker port and the command port, over the scheduler and the ledger.

Decides nothing by itself; here is who waits for whom. What a call reports is durable before it is answered. For one event loop.
"""

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar

from msgspec import structs

from outspread.controller.command_values import (
    Claim,
    CommandAttempt,
    CommandJobStatus,
    CommandNews,
    CommandOrders,
    CommandRun,
    CommandRunStatus,
    FlakyJob,
    JobPage,
    LogPart,
    RunProgress,
    SlotsNeeded,
    WorkerStatus,
)
from outspread.controller.exchange_values import Exchange, Orders
from outspread.controller.farm import farm_reader, submission_check
from outspread.controller.farm.attempt_ids import attempt_id_of, split_attempt_id
from outspread.controller.farm.commit_queue import RecordError
from outspread.controller.farm.farm_changes import (
    AcceptedJob,
    FarmChange,
    JobsComing,
    JobsForgotten,
    RunAccepted,
    RunComing,
    RunDropped,
    RunForgotten,
)
from outspread.controller.farm.farm_ledger import FarmLedger
from outspread.controller.farm.farm_log import log_changes
from outspread.controller.farm.farm_policy import FarmPolicy
from outspread.controller.farm.farm_reader import PROGRESS_LIMIT, KnownRun
from outspread.controller.farm.latencies import Latencies
from outspread.controller.farm.lookers import Lookers
from outspread.controller.farm.ready_queue import Blocks
from outspread.controller.farm.run_state import PlannedJob, RunState, plan
from outspread.controller.farm.saved_state import restore
from outspread.controller.farm.scheduler import Scheduler
from outspread.controller.farm.slots_needed import Work
from outspread.controller.farm.waiting_reason import why_it_waits
from outspread.controller.farm_figures import FarmFigures
from outspread.controller.values import JobState, Outcome
from outspread.errors import ConflictError, NotFoundError, UserError

_T = TypeVar("_T")

_TICK_S: Final = 0.5
#: How long a worker whose connection broke has to speak again.
_GRACE_S: Final = 1.0
_JOBS_LIMIT: Final = 1000
_FORGOTTEN_LIMIT: Final = 100
#: So many can be written in a tenth of a second, for which others wait.
JOBS_AT_ONCE: Final = 10_000
#: So many jobs take longer to look at than handing them to a thread.
_MANY_JOBS: Final = 500
_LOG_LIMIT_BYTES: Final = 4 * 1024 * 1024


class FarmController:
    """Implements WorkerPort and CommandPort. To be opened before, and closed after. Clocks in seconds.

    ``missing_trees`` tells which of the inputs of a submission the store does not have; without it, nobody asks. ``jobs_at_once``
    jobs are written, or forgotten, in one transaction.
    """

    def __init__(
        self,
        ledger: FarmLedger,
        *,
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        policy: FarmPolicy | None = None,
        missing_trees: Callable[[set[str]], Awaitable[set[str]]] | None = None,
        jobs_at_once: int = JOBS_AT_ONCE,
    ) -> None:
        self._ledger = ledger
        self._jobs_at_once = jobs_at_once
        self._missing_trees = missing_trees
        self._wall = wall
        self._monotonic = monotonic
        self._policy = policy or FarmPolicy()
        self._scheduler = Scheduler(epoch=0)
        self._polls: dict[str, _Poll] = {}  # worker -> its waiting call
        self._lookers = Lookers()
        self._ticking: asyncio.Task[None] | None = None
        self._stopper: asyncio.Task[None] | None = None
        self._graces: set[asyncio.Task[None]] = set()
        self._submitting: dict[str, asyncio.Event] = {}  # set when that submission is over
        self._stopping = False
        self._exchanges = Latencies()

    async def open(self) -> None:
        """Take the cell, and go on with what was left; InfrastructureError when another controller has it."""
        saved, holds = await self._ledger.open(1)
        self._scheduler = Scheduler(epoch=self._ledger.epoch, policy=self._policy)
        now, at = self._monotonic(), self._wall()
        for run in saved:
            self._scheduler.next_sequence()
            restore(self._scheduler, run, now=now)
        for hold in holds:
            self._scheduler.expect_held(hold.worker, reason=hold.reason, until=hold.until)
        self._scheduler.end_what_is_over(at=at)
        self._flush()
        self._ticking = asyncio.create_task(self._tick())
        self._stop_the_rest()

    async def close(self) -> None:
        """Answer who waits, write the rest, and give the cell up. Workers go on and report to the next controller."""
        self._stopping = True
        for poll in self._polls.values():
            poll.wake()
        self._lookers.tell_all()
        for task in (self._ticking, self._stopper, *self._graces):
            if task is not None:
                task.cancel()
                await asyncio.wait([task])
        self._scheduler.note_claims()
        self._flush()
        await self._settle_if_possible()
        await self._ledger.close()

    # --- workers ---

    async def exchange(self, call: Exchange) -> Orders:
        """Apply a worker's news and answer with work, once that is durable; hold an empty answer back up to ``wait_s``."""
        news = call.commands
        if news is None:
            raise UserError(f"cannot serve worker {call.worker[:64]}: it takes no command jobs")
        self._refuse_when_faulty(news)
        began = self._monotonic()
        lost = self._scheduler.hear(call.worker, news, now=self._monotonic(), at=self._wall())
        if self._scheduler.is_past(call.worker, news.incarnation):
            await asyncio.sleep(min(call.wait_s, _TICK_S))  # another has its name: it gets nothing, and not in a hurry
            return Orders(commands=CommandOrders(stops=tuple(lost)))
        if self._scheduler.has_news:
            self._serve_polls(reluctantly=False)
        claims = self._scheduler.handed_out(call.worker, news.sequence)
        claims = claims or self._hand_out(call.worker, news.sequence, reluctantly=True)
        self._publish()
        if news.begun or news.pieces or news.ended or news.returned:
            await self._ledger.settle()
        self._exchanges.note(self._monotonic() - began)
        if not (claims or lost or self._scheduler.is_disturbed(call.worker)) and call.wait_s > 0:
            claims = await self._wait_for_orders(call.worker, news.sequence, call.wait_s)
        return Orders(commands=self._scheduler.orders(call.worker, lost, claims, now=self._monotonic()))

    async def worker_gone(self, worker: str, incarnation: str) -> None:
        """Take back what a worker has unless it speaks again within a second: the connection of its waiting call broke."""
        since = self._monotonic()
        grace = asyncio.create_task(self._take_back(worker, incarnation, since))
        self._graces.add(grace)
        grace.add_done_callback(self._graces.discard)

    async def hold_worker(self, name: str, *, reason: str, for_s: float) -> None:
        """Let a worker take no more work for so long."""
        at = self._wall()
        if not self._scheduler.hold(name, reason=reason, until=at + for_s, at=at):
            raise NotFoundError(f"cannot hold worker {name}: there is none of this name")
        self._serve_polls(reluctantly=True)
        self._publish()
        await self._ledger.settle()

    async def workers(self) -> list[WorkerStatus]:
        """Return the workers that have spoken, by name."""
        return self._scheduler.worker_statuses(now=self._monotonic(), at=self._wall())

    # --- runs ---

    async def submit_commands(self, run: CommandRun) -> CommandRunStatus:
        """Accept a run. UserError for one that cannot be, ConflictError for other content under a known id."""
        documents, digest = await _off_loop(len(run.jobs), lambda: submission_check.accept(run))
        while (earlier := self._submitting.get(run.run_id)) is not None:
            await earlier.wait()
        over = self._submitting[run.run_id] = asyncio.Event()
        try:
            return await self._submit(run, documents, digest)
        finally:
            del self._submitting[run.run_id]
            over.set()

    async def cancel(self, run_id: str, reason: str) -> None:
        """Let no job of the run begin any more and stop those that run."""
        known = await self._known(run_id)
        if known.status.run_id != run_id:
            raise NotFoundError(f"cannot cancel run {run_id[:64]}: there is no such run", hint="give the whole id")
        self._scheduler.cancel(run_id, reason[:1000], at=self._wall())
        self._serve_polls(reluctantly=True)
        self._publish()
        await self._ledger.settle()

    async def command_runs(self, *, limit: int = 20, before: float | None = None, owner: str = "") -> list[CommandRunStatus]:
        """Return runs, newest first."""
        limit = max(1, min(limit, _JOBS_LIMIT))
        runs = await self._ledger.read(
            lambda connection, _: farm_reader.read_runs(connection, limit=limit, before=before, owner=owner)
        )
        return [self._present(status) for status in runs]

    async def progress(self, run_id: str, *, cursor: int = 0, wait_s: float = 0.0) -> RunProgress:
        """Return what happened since ``cursor``; held back up to ``wait_s`` while nothing has and the run goes on."""
        deadline = self._monotonic() + wait_s
        known = await self._known(run_id)
        run_id = known.status.run_id
        while True:
            state = self._scheduler.runs.get(run_id)
            if state is None or state.places > cursor:
                break
            with self._lookers.looking(run_id) as news:
                if not await self._wait_for(news, deadline):
                    break
        # The status is taken first: what it counts as ended is then among the attempts, or there is more.
        status = state.status() if state is not None else None
        await self._ledger.settle()
        if status is None:
            status = (await self._known(run_id)).status
        ended = await self._ledger.read(lambda connection, _: farm_reader.read_ended(connection, known.key, cursor))
        return RunProgress(status=status, cursor=cursor + len(ended), ended=tuple(ended), more=len(ended) == PROGRESS_LIMIT)

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
        """Return jobs of a run that are so."""
        known = await self._known(run_id)
        limit = max(1, min(limit, _JOBS_LIMIT))
        return await self._ledger.read(
            lambda connection, _: farm_reader.read_jobs(
                connection, known, after=after, limit=limit, state=state, outcome=outcome, flaky=flaky, text=text
            )
        )

    async def job(self, run_id: str, name_or_number: str | int) -> CommandJobStatus:
        """Return one job, with why it waits."""
        known = await self._known(run_id)
        job = await self._ledger.read(lambda connection, _: farm_reader.read_job(connection, known, name_or_number))
        state = self._scheduler.runs.get(job.run_id)
        if job.state is not JobState.QUEUED or state is None:
            return job
        if fault := self._ledger.fault:
            return structs.replace(job, waiting=f"nothing is handed out while the record cannot be written: {fault}")
        if attempt := state.in_hand.get(job.number):
            holder = f"worker {attempt.worker}" if attempt.worker else "a worker"
            return structs.replace(job, waiting=f"{holder} has it at hand, to begin it next", ahead=0)
        wait = why_it_waits(self._scheduler, state, job.number, at=self._wall())
        return structs.replace(job, waiting=wait.reason, ahead=wait.ahead, starts_in_s=wait.starts_in_s)

    async def submission(self, run_id: str, numbers: tuple[int, ...]) -> CommandRun:
        """Return a run as it was submitted, with the jobs of these numbers only."""
        known = await self._known(run_id)
        jobs = await self._ledger.read(lambda connection, _: farm_reader.read_commands(connection, known.key, numbers))
        status = known.status
        return CommandRun(run_id=status.run_id, owner=status.owner, jobs=tuple(jobs), name=status.name, project=status.project)

    async def log_part(self, attempt_id: str, *, offset: int = 0, limit: int = 1024 * 1024, wait_s: float = 0.0) -> LogPart:
        """Return a part of an attempt's log; held back while there is none after ``offset`` and the attempt goes on."""
        beginning, number, attempt = split_attempt_id(attempt_id)
        known = await self._known(beginning)
        attempt_id = attempt_id_of(known.status.run_id, number, attempt)
        limit = max(0, min(limit, _LOG_LIMIT_BYTES))
        deadline = self._monotonic() + wait_s
        while True:
            goes_on = self._scheduler.watch_log(attempt_id, now=self._monotonic()) if wait_s else False
            if goes_on:
                self._serve_polls(reluctantly=False)
            with self._lookers.looking(attempt_id) as news:  # what is written while the log is read is news, too
                if wait_s:
                    await self._settle_if_possible()  # what was told to others before is no news, and may not be there yet
                part = await self._ledger.read(
                    lambda connection, logs: farm_reader.read_log_part(
                        connection, logs, known, number, attempt, offset=max(0, offset), limit=limit
                    )
                )
                if part.data or part.ended or not await self._wait_for(news, deadline):
                    return part

    async def needed_trees(self) -> set[str]:
        """Return the digests of all trees that a run in the record takes in or has brought forth."""
        return await self._ledger.read(lambda connection, _: farm_reader.read_needed(connection))

    async def forget_runs(self, *, finished_before: float) -> int:
        """Drop runs that finished before a time with all that is kept of them; return how many, a limited number a call."""
        run_ids = await self._ledger.read(
            lambda connection, _: farm_reader.read_forgettable(
                connection, finished_before=finished_before, limit=_FORGOTTEN_LIMIT
            )
        )
        self._ledger.record([RunDropped(run_id) for run_id in run_ids])
        await self._ledger.settle()
        dropped = await self._ledger.read(lambda connection, _: farm_reader.read_dropped(connection, limit=_FORGOTTEN_LIMIT))
        for run_key, run_id, jobs in dropped:
            for first in range(0, jobs, self._jobs_at_once):
                self._ledger.record([JobsForgotten(run_key, first, first + self._jobs_at_once)])
                await self._ledger.settle()
            self._ledger.record([RunForgotten(run_key, run_id, self._wall())])
            await self._ledger.settle()
        return len(run_ids)

    async def slots_needed(self, run_id: str, *, within_s: float) -> SlotsNeeded:
        """Return how many slots it takes to finish a run within a time."""
        if not within_s > 0:
            raise UserError(f"cannot finish in {within_s:g} s: it is no time")
        known = await self._known(run_id)
        run = self._scheduler.runs.get(known.status.run_id)
        counts = run is not None and not run.cancelled
        work = await asyncio.to_thread(lambda: Work(run.unfinished_s() if run is not None and counts else ()))
        connected = sum(worker.slots for worker in await self.workers() if worker.connected)
        return SlotsNeeded(
            jobs=work.jobs,
            unknown=run.unknown_left if run is not None else 0,
            work_s=work.total_s,
            longest_s=work.longest_s,
            slots=await asyncio.to_thread(work.slots_for, within_s),
            connected_slots=connected,
            takes_s=await asyncio.to_thread(work.takes_s, connected) if connected else None,
        )

    async def figures(self) -> FarmFigures:
        """Return how the farm goes."""
        return self.current_figures()

    def current_figures(self) -> FarmFigures:
        """Return how the farm goes, at once."""
        return self._scheduler.figures(
            now=self._monotonic(),
            at=self._wall(),
            commits=self._ledger.commits,
            commit=self._ledger.latencies.figures(),
            exchange=self._exchanges.figures(),
        )

    async def job_history(self, project: str, key: str, *, limit: int = 20) -> list[CommandAttempt]:
        """Return the last attempts of the jobs of this project and key, newest first."""
        limit = max(1, min(limit, _JOBS_LIMIT))
        return await self._ledger.read(lambda connection, _: farm_reader.read_job_history(connection, project, key, limit))

    async def flaky_jobs(self, *, project: str | None = None, since: float = 0.0, limit: int = 100) -> list[FlakyJob]:
        """Return keys whose jobs passed only after a failure, the most often first."""
        limit = max(1, min(limit, _JOBS_LIMIT))
        return await self._ledger.read(
            lambda connection, _: farm_reader.read_flaky(connection, project=project, since=since, limit=limit)
        )

    # --- inside ---

    async def _submit(self, run: CommandRun, documents: list[bytes], digest: str) -> CommandRunStatus:
        known = await self._ledger.read(lambda connection, _: farm_reader.find_run(connection, run.run_id))
        if known is not None:
            if known.digest != digest:
                raise ConflictError(f"cannot submit run {run.run_id}: there is one of this id with other content")
            return self._present(known.status)
        await self._check_inputs(run)
        jobs = await self._ledger.read(lambda connection, _: _planned(connection, run, documents))
        sequence, at = self._scheduler.next_sequence(), self._wall()
        state, ready = await _off_loop(len(jobs), lambda: _state_of(run, jobs, sequence, at))
        accepted = RunAccepted(run.run_id, run.owner, run.name, run.project, len(jobs), at)
        await self._write_run(RunComing(digest=digest, stop_after=run.stop_after, **structs.asdict(accepted)), jobs, accepted)
        log_changes([accepted])
        self._scheduler.add_run(state, ready)
        self._serve_polls(reluctantly=True)
        self._publish()
        return state.status()

    async def _write_run(self, coming: RunComing, jobs: Sequence[PlannedJob], accepted: RunAccepted) -> None:
        """Write a run in parts, between which others have theirs written. RecordError: nothing of it counts."""
        changes: list[FarmChange] = [coming]
        for first in range(0, len(jobs), self._jobs_at_once):
            part = jobs[first : first + self._jobs_at_once]
            accepted_jobs = tuple(AcceptedJob(job.name, job.key, job.priority, job.job) for job in part)
            changes.append(JobsComing(coming.run_id, first, accepted_jobs))
            if first + len(part) == len(jobs):
                changes.append(accepted)
            try:
                await self._ledger.record_or_withdraw(changes)
            except RecordError:
                self._ledger.record([RunDropped(coming.run_id)])
                raise
            changes = []

    async def _check_inputs(self, run: CommandRun) -> None:
        inputs = await _off_loop(len(run.jobs), lambda: {job.inputs for job in run.jobs if job.inputs})
        if self._missing_trees is None or not inputs:
            return
        missing = await self._missing_trees(inputs)
        if missing:
            job = next(job for job in run.jobs if job.inputs in missing)
            raise UserError(
                f"cannot submit run {run.run_id}: the inputs of {job.name} are not in the store: {job.inputs}",
                hint="upload them first",
            )

    async def _known(self, run_id: str) -> KnownRun:
        return await self._ledger.read(lambda connection, _: farm_reader.read_run(connection, run_id))

    def _present(self, status: CommandRunStatus) -> CommandRunStatus:
        """Return a run as it is now, which the tables know only of those that are over."""
        state = self._scheduler.runs.get(status.run_id)
        return status if state is None else state.status()

    def _refuse_when_faulty(self, news: CommandNews) -> None:
        """Take nothing new while the record cannot be written; workers say it again."""
        if self._ledger.fault and (news.pieces or news.ended or news.begun):
            raise RecordError(f"cannot take reports: {self._ledger.fault}")

    def _hand_out(self, worker: str, sequence: int, *, reluctantly: bool) -> list[Claim]:
        if self._stopping or self._ledger.fault:
            return []
        now, at = self._monotonic(), self._wall()
        return self._scheduler.hand_out(worker, sequence=sequence, now=now, at=at, reluctantly=reluctantly)

    def _serve_polls(self, *, reluctantly: bool) -> None:
        """Answer waiting calls that there is work or news for."""
        self._scheduler.has_news = False
        if self._scheduler.has_ready():
            for name, poll in self._polls.items():
                if not poll.is_over and not poll.claims and self._scheduler.has_room(name):
                    poll.claims = self._hand_out(name, poll.sequence, reluctantly=reluctantly)
                    if poll.claims:
                        poll.wake()
                        if not self._scheduler.has_ready():
                            break
        for name in self._scheduler.disturbed():
            if name in self._polls:
                self._polls[name].wake()

    async def _wait_for_orders(self, worker: str, sequence: int, wait_s: float) -> list[Claim]:
        if (earlier := self._polls.get(worker)) is not None:
            earlier.wake()  # a worker has one waiting call; the newest is the one that still has somebody at its end
        poll = self._polls[worker] = _Poll(sequence)
        try:
            if not self._stopping:
                await poll.wait(wait_s)
            return poll.claims or self._hand_out(worker, sequence, reluctantly=True)
        finally:
            poll.is_over = True
            if self._polls.get(worker) is poll:
                del self._polls[worker]

    async def _take_back(self, worker: str, incarnation: str, since: float) -> None:
        await asyncio.sleep(_GRACE_S)
        if worker in self._polls:  # its next call came before the end of this one was noticed
            return
        now = self._monotonic()
        self._scheduler.connection_lost(worker, incarnation, since=since, now=now, at=self._wall())
        self._serve_polls(reluctantly=True)
        self._publish()
        await self._settle_if_possible()

    def _stop_the_rest(self) -> None:
        """Have the jobs of cancelled runs recorded as such, a transaction at a time, so that nobody else waits for long."""
        if self._stopper is None or self._stopper.done():
            self._stopper = asyncio.create_task(self._stop_jobs())

    async def _stop_jobs(self) -> None:
        while self._scheduler.stop_some(at=self._wall()):
            self._publish()
            try:
                await self._ledger.settle()
            except RecordError:
                await asyncio.sleep(_TICK_S)  # it stays to be written, as the first thing

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(_TICK_S)
            self._scheduler.tick(now=self._monotonic(), at=self._wall())
            self._serve_polls(reluctantly=True)
            if self._publish():
                await self._settle_if_possible()

    def _flush(self) -> bool:
        changes = self._scheduler.changes
        if not changes:
            return False
        self._scheduler.changes = []
        log_changes(changes)
        self._ledger.record(changes)
        self._lookers.tell(changes)
        return True

    def _publish(self) -> bool:
        """Have what changed written, and wake those who look on; return whether anything changed."""
        if not self._flush():
            return False
        if self._scheduler.has_to_stop():
            self._stop_the_rest()
        return True

    async def _wait_for(self, news: "asyncio.Future[None]", deadline: float) -> bool:
        """Wait until something changed; False when the deadline came first, or the controller stops."""
        left_s = deadline - self._monotonic()
        if left_s <= 0 or self._stopping:
            return False
        await asyncio.wait([news], timeout=left_s)
        if news.done():
            await self._settle_if_possible()
            return True
        return False

    async def _settle_if_possible(self) -> None:
        """Wait until all that was recorded is durable; what cannot be written is tried again, and told to whom it concerns."""
        with contextlib.suppress(RecordError):
            await self._ledger.settle()


def _planned(connection: sqlite3.Connection, run: CommandRun, documents: Sequence[bytes]) -> list[PlannedJob]:
    keys = {job.key or job.name for job in run.jobs}
    return plan(run.jobs, documents, farm_reader.read_expected(connection, run.project, keys))


def _state_of(run: CommandRun, jobs: Sequence[PlannedJob], sequence: int, at: float) -> tuple[RunState, Blocks]:
    state = RunState(sequence=sequence, run_id=run.run_id, owner=run.owner, name=run.name, project=run.project, jobs=jobs, at=at)
    state.stop_after = run.stop_after
    return state, state.blocks()


async def _off_loop(jobs: int, function: Callable[[], _T]) -> _T:
    """Call a function that takes long for many jobs, so that others are answered meanwhile."""
    return function() if jobs < _MANY_JOBS else await asyncio.to_thread(function)


class _Poll:
    """A worker's call that waits for work or news."""

    def __init__(self, sequence: int) -> None:
        self.sequence = sequence
        self._woken = asyncio.get_running_loop().create_future()
        self.claims: list[Claim] = []
        self.is_over = False

    def wake(self) -> None:
        if not self._woken.done():
            self._woken.set_result(None)

    async def wait(self, wait_s: float) -> None:
        await asyncio.wait([self._woken], timeout=wait_s)
