"""The controller inside the program's own process: the port, over runs in memory and a ledger.

Decides nothing by itself: a run's rules are in ``run_in_hand``. Here is who waits for whom. Nothing of it is shared between
threads or event loops.
"""

import asyncio
import itertools
import re
import time
from collections.abc import Callable
from typing import Final

import msgspec

from outspread.controller.changes import (
    Change,
    MachineAsked,
    MachineFound,
    MachineHeld,
    MachineLost,
    MachineReturned,
    MachineReturning,
    RunEnded,
    RunSubmitted,
)
from outspread.controller.exchange_values import Exchange, Orders
from outspread.controller.expected_durations import expected
from outspread.controller.ledger import Ledger
from outspread.controller.run_digest import run_digest
from outspread.controller.run_events import RunEvents, Watcher
from outspread.controller.run_in_hand import RunInHand, plan_seats
from outspread.controller.values import (
    Assignment,
    AttemptFinished,
    AttemptStarted,
    JobWanted,
    MachineAllocated,
    MachineDiscarding,
    MachineEntry,
    MachineFailed,
    MachineGone,
    MachineKept,
    MachineRequested,
    MachineReused,
    Order,
    Report,
    RunDetail,
    RunFinished,
    RunSpec,
    RunStarted,
    RunSummary,
    Seat,
    SeatClosed,
)
from outspread.errors import UserError

#: A run's id names a file.
_RUN_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
#: So many finished runs are remembered, to know a submission that comes again and to serve a late watcher.
_FINISHED_RUNS_KEPT: Final = 16


class _Run:
    """A run in this process: to begin with its watchers only, then its content, at the end its digest and watchers."""

    __slots__ = ("begun_at", "cancel_reason", "digest", "events", "in_hand", "told")

    def __init__(self) -> None:
        self.digest = ""
        self.cancel_reason: str | None = None
        self.events = RunEvents()
        self.in_hand: RunInHand | None = None
        self.begun_at = 0.0  # by the monotonic clock
        self.told: set[str] = set()  # workers that know that it is cancelled


class EmbeddedController:
    """Implements ControllerPort. ``wall`` is the time of day, ``monotonic`` what durations are measured by; in seconds."""

    def __init__(
        self,
        ledger: Ledger,
        *,
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ledger = ledger
        self._wall = wall
        self._monotonic = monotonic
        self._runs: dict[str, _Run] = {}
        self._run_of_seat: dict[str, str] = {}
        self._fences = itertools.count(1)
        self._polls: set[asyncio.Future[None]] = set()

    async def submit(self, run: RunSpec) -> None:
        """Accept a run. UserError for other content under a known id, for a bad id, and for a job that is there twice."""
        digest = run_digest(run)
        entry = self._runs.get(run.run_id)
        if entry is not None and entry.digest:
            if entry.digest != digest:
                raise UserError(f"cannot submit run {run.run_id}: there is one of this id with other content")
            return
        _check(run)
        entry = entry or self._runs.setdefault(run.run_id, _Run())
        entry.digest = digest
        try:
            known_s = await self._ledger.durations(run.project.name) if run.options.order is Order.LONGEST else {}
        except asyncio.CancelledError:
            entry.digest = ""  # it was never accepted
            raise
        at = self._wall()
        plan = plan_seats(run, chosen_seed=int(at))
        entry.begun_at = self._monotonic()
        entry.in_hand = RunInHand(
            run,
            plan,
            expected_s=expected(run.jobs, known_s) if known_s else (),
            next_fence=self._fences.__next__,
        )
        submitted = RunSubmitted(
            run_id=run.run_id,
            digest=digest,
            owner=run.owner,
            project=run.project.name,
            root=run.project.root,
            options=msgspec.json.encode(run.options).decode("ascii"),
            seed=plan.seed,
            seed_matters=plan.seed_matters,
            jobs=run.jobs,
            at=at,
        )
        self._ledger.record([submitted])
        entry.events.publish(
            RunStarted(
                at=at,
                run_id=run.run_id,
                seed=plan.seed,
                seed_matters=plan.seed_matters,
                total_jobs=len(run.jobs),
                project=run.project.name,
                sessions=sum(plan.sessions.values()),
            )
        )
        if entry.cancel_reason is not None:
            entry.in_hand.cancel(entry.cancel_reason, at=at)
        self._settle_run(run.run_id, entry)
        self._wake_polls()

    async def exchange(self, call: Exchange) -> Orders:
        """Take reports, answer wants, hand out seats; hold the answer back up to ``wait_s`` while it would be empty.

        A call that reports a machine about to be asked for, or found, is answered when that is durable. Nothing else waits
        for the disk: this controller and its workers live and die together.
        """
        stale = self._hear(call)
        if any(
            isinstance(report, MachineRequested | MachineAllocated | MachineReused | MachineKept) for _, report in call.reports
        ):
            await self._ledger.settle()
        await self._ledger.room()
        for run_id in {run_id for run_id, _ in call.reports}:
            if (entry := self._runs.get(run_id)) is not None:
                await entry.events.room()
        deadline = self._monotonic() + call.wait_s
        orders = self._orders(call, stale)
        while _is_empty(orders) and (left_s := deadline - self._monotonic()) > 0:
            await self._news(left_s)
            orders = self._orders(call, stale)
        return orders

    def watch(self, run_id: str) -> Watcher:
        """Return the events of a run, from the first one when called before or soon after it is submitted.

        A run not submitted yet is waited for. One that has been going on for long (about 1,000 events) is told from its
        RunStarted on to what happens from now. Who watches must read: see ``run_events``.
        """
        return self._runs.setdefault(run_id, _Run()).events.watch()

    async def cancel(self, run_id: str, reason: str) -> None:
        """Hand out no more of the run's jobs and tell its sessions to end. Idempotent; UserError for an unknown run."""
        entry = self._runs.get(run_id)
        if entry is None or not entry.digest:
            raise UserError(f"cannot cancel run {run_id}: it is not known here")
        entry.cancel_reason = reason  # counts for a run that is only being prepared, too
        if entry.in_hand is not None:
            entry.in_hand.cancel(reason, at=self._wall())
            self._settle_run(run_id, entry)
            self._wake_polls()

    async def history(self, *, limit: int = 20, project_root: str = "") -> list[RunSummary]:
        """Return the latest runs, newest first; InfrastructureError when the record cannot be read."""
        return await self._ledger.history(limit=limit, project_root=project_root)

    async def run_detail(self, run_id: str) -> RunDetail:
        """Return a run by its id or an unambiguous beginning of it."""
        return await self._ledger.run_detail(run_id)

    async def attempt_log(self, run_id: str, job: str, attempt: int | None = None) -> str:
        """Return all that is kept of what an attempt printed."""
        return await self._ledger.attempt_log(run_id, job, attempt)

    async def machines(self) -> list[MachineEntry]:
        """Return the machines not known to be gone, oldest first; InfrastructureError when the record cannot be read."""
        return await self._ledger.machines()

    async def close(self) -> None:
        """Write the rest of the record. Idempotent."""
        await self._ledger.close()

    # --- what comes in ---

    def _hear(self, call: Exchange) -> set[str]:
        """Apply and pass on all reports; return the seats that were stale."""
        stale: set[str] = set()
        for run_id, report in call.reports:
            machine_change = _machine_change(run_id, report)
            if machine_change is not None:
                self._ledger.record([machine_change])
            entry = self._runs.get(run_id)
            if entry is None or entry.in_hand is None:
                if isinstance(report, AttemptStarted | AttemptFinished | SeatClosed):
                    stale.add(report.seat_id)
                continue
            if not entry.in_hand.hear(report):
                # Only these three can be stale.
                assert isinstance(report, AttemptStarted | AttemptFinished | SeatClosed)
                stale.add(report.seat_id)
                continue
            entry.events.publish(entry.in_hand.numbered(report))
            if isinstance(report, SeatClosed):
                self._run_of_seat.pop(report.seat_id, None)
                self._wake_polls()  # its number may be free for another
            self._settle_run(run_id, entry)
        return stale

    def _settle_run(self, run_id: str, entry: _Run) -> None:
        """Record what changed in a run, and end it when it is over."""
        run = entry.in_hand
        assert run is not None
        if run.changes:
            self._ledger.record(run.changes)
            run.changes.clear()
        if not run.is_finished():
            return
        at = self._wall()
        self._ledger.record([RunEnded(run_id, passed=run.has_passed(), cancelled=run.cancelled, at=at)])
        entry.in_hand = None
        entry.events.publish(
            RunFinished(at=at, run_id=run_id, passed=run.has_passed(), duration_s=self._monotonic() - entry.begun_at)
        )
        finished = [known for known, other in self._runs.items() if other.digest and other.in_hand is None]
        for known in finished[:-_FINISHED_RUNS_KEPT]:
            del self._runs[known]

    # --- what goes out ---

    def _orders(self, call: Exchange, stale: set[str]) -> Orders:
        assignments: list[Assignment] = []
        for wanted in call.wants:
            assignment = self._assign(wanted)
            if assignment is None:
                stale.add(wanted.seat_id)
            else:
                assignments.append(assignment)
        return Orders(
            seats=tuple(self._open_seats(call.worker, call.free_slots)),
            assignments=tuple(assignments),
            cancelled_runs=self._cancelled_runs(call.worker),
            stale_seats=tuple(sorted(stale)),
        )

    def _assign(self, wanted: JobWanted) -> Assignment | None:
        run_id = self._run_of_seat.get(wanted.seat_id, "")
        entry = self._runs.get(run_id)
        if entry is None or entry.in_hand is None:
            return None
        assignment = entry.in_hand.assign(wanted, at=self._wall())
        self._settle_run(run_id, entry)
        return assignment

    def _open_seats(self, worker: str, slots: int) -> list[Seat]:
        seats: list[Seat] = []
        for run_id, entry in self._runs.items():
            while entry.in_hand is not None and len(seats) < slots:
                seat = entry.in_hand.open_seat(worker)
                if seat is None:
                    break
                self._run_of_seat[seat.seat_id] = run_id
                seats.append(seat)
        return seats

    def _cancelled_runs(self, worker: str) -> tuple[str, ...]:
        """Return the cancelled runs that the worker still has seats of, each once."""
        news: list[str] = []
        for run_id, entry in self._runs.items():
            run = entry.in_hand
            if run is not None and run.cancelled and worker not in entry.told and worker in run.workers():
                entry.told.add(worker)
                news.append(run_id)
        return tuple(news)

    async def _news(self, wait_s: float) -> None:
        """Wait until something may have changed for those who poll."""
        poll = asyncio.get_running_loop().create_future()
        self._polls.add(poll)
        try:
            async with asyncio.timeout(wait_s):
                await poll
        except TimeoutError:
            pass
        finally:
            self._polls.discard(poll)

    def _wake_polls(self) -> None:
        for poll in self._polls:
            if not poll.done():
                poll.set_result(None)


def _check(run: RunSpec) -> None:
    if not _RUN_ID.fullmatch(run.run_id):
        raise UserError(f"cannot submit run {run.run_id!r}: an id is up to 64 letters, digits, dots, dashes and underscores")
    systems = {(backend.name, system) for backend in run.project.backends.values() for system in backend.systems}
    seen: set[str] = set()
    for job in run.jobs:
        if job.name in seen:
            raise UserError(f"cannot submit run {run.run_id}: the job {job.name} is there twice")
        if (job.backend, job.system) not in systems:
            raise UserError(f"cannot submit run {run.run_id}: its project has no system for the job {job.name}")
        seen.add(job.name)


def _is_empty(orders: Orders) -> bool:
    return not (orders.seats or orders.assignments or orders.cancelled_runs or orders.stale_seats)


def _machine_change(run_id: str, report: Report) -> Change | None:
    """Return what a report about a machine changes in the record."""
    match report:
        case MachineRequested():
            return MachineAsked(
                machine_id=report.machine_id,
                run_id=run_id,
                backend=report.backend,
                backend_type=report.backend_type,
                system=report.system,
                at=report.at,
                record=report.record,
            )
        case MachineAllocated() | MachineReused():
            return MachineFound(
                machine_id=report.machine_id,
                run_id=run_id,
                name=report.machine,
                address=report.address,
                record=report.record,
                at=report.at,
                kept=report.kept,
            )
        case MachineKept(reason=reason) if reason:
            return MachineHeld(report.machine_id, run_id, reason, report.until, report.at)
        case MachineFailed():
            return MachineLost(report.machine_id, run_id, report.reason, report.at)
        case MachineDiscarding():
            return MachineReturning(report.machine_id, run_id, report.at)
        case MachineGone():
            return MachineReturned(report.machine_id, run_id, report.at)
        case _:
            return None
