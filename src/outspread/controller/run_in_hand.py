"""One run while it goes on: who has which seat and job, and what a report changes. No I/O and no clock.

Every change of state is noted in ``changes``, for the ledger. ``embedded`` feeds this and speaks with workers and watchers.
"""

from collections.abc import Callable, Sequence

from msgspec import Struct, structs

from outspread.controller.changes import AttemptBegan, AttemptEnded, Change, DurationSeen, JobMoved, RunCancelled
from outspread.controller.expected_durations import duration_key
from outspread.controller.job_states import FINAL_STATES, JobEvent, advance, judge
from outspread.controller.lane_seats import LaneSeats
from outspread.controller.ready_jobs import Lane, ReadyJobs
from outspread.controller.values import (
    ArtifactsFetched,
    Assignment,
    AttemptFinished,
    AttemptStarted,
    Event,
    JobState,
    JobWanted,
    MachineFailed,
    Order,
    Outcome,
    Report,
    RunSpec,
    Seat,
    SeatClosed,
    StepFinished,
    StepStarted,
    Verb,
)

#: Outcomes with which a job does not fail its run.
_GOOD = frozenset({Outcome.PASSED, Outcome.SKIPPED})


class SeatPlan(Struct, frozen=True):
    """How many sessions each lane of a run may have, and what that makes of its seed."""

    sessions: dict[Lane, int]
    seed: int
    seed_matters: bool


def plan_seats(run: RunSpec, *, chosen_seed: int) -> SeatPlan:
    """Return a run's seats: per lane as many as it has workers, never more than jobs.

    The seed is the one asked for; without one, ``chosen_seed`` when there are more jobs than sessions, else 0
    (specs/spread.md, section 9).
    """
    jobs_of: dict[Lane, int] = {}
    for key in ((job.backend, job.system) for job in run.jobs):
        lane = Lane(*key)
        jobs_of[lane] = jobs_of.get(lane, 0) + 1
    sessions = {
        lane: min(jobs, run.options.workers or run.project.backends[lane.backend].systems[lane.system].workers)
        for lane, jobs in jobs_of.items()
    }
    if run.options.visit is not None:
        sessions[Lane(*run.options.visit)] = 1
    more_jobs = len(run.jobs) > sum(sessions.values())
    return SeatPlan(
        sessions=sessions,
        seed=run.options.seed or (chosen_seed if more_jobs else 0),
        seed_matters=more_jobs and run.options.order is Order.RANDOM,
    )


class _Job:
    """Where one job is."""

    __slots__ = ("attempts", "infra_failures", "outcome", "state")

    def __init__(self) -> None:
        self.state = JobState.QUEUED
        self.attempts = 0
        self.infra_failures = 0
        self.outcome: Outcome | None = None


class _OpenSeat:
    """A seat that somebody has, and the attempt in its hands."""

    __slots__ = ("ending", "fence", "job", "lane", "lost", "number", "seat_id", "worker")

    def __init__(self, lane: Lane, number: int, fence: int, seat_id: str, worker: str) -> None:
        self.lane = lane
        self.number = number
        self.fence = fence
        self.seat_id = seat_id
        self.worker = worker
        self.job: int | None = None
        self.ending = False  # was told that there is nothing left
        self.lost = False  # its last attempt ended without a verdict


class RunInHand:
    """A run that is not finished. ``next_fence`` gives numbers that only grow."""

    def __init__(self, spec: RunSpec, plan: SeatPlan, *, expected_s: Sequence[float], next_fence: Callable[[], int]) -> None:
        self.spec = spec
        self.changes: list[Change] = []
        self.cancelled = False
        self._next_fence = next_fence
        self._ready = ReadyJobs(
            spec.jobs,
            order=spec.options.order,
            seed=plan.seed,
            expected_s=expected_s,
            lanes_without_jobs=[Lane(*visit)] if (visit := spec.options.visit) is not None else (),
        )
        self._lane_seats = {lane: LaneSeats(count) for lane, count in plan.sessions.items()}
        self._jobs = [_Job() for _ in spec.jobs]
        self._number_of = {job.name: number for number, job in enumerate(spec.jobs)}
        self._undecided = len(spec.jobs)
        self._bad_jobs = 0
        self._failed_steps = 0
        self._failed_machines: dict[Lane, int] = {}
        self._has_held: set[tuple[Lane, int]] = set()  # seats whose machine was held once
        self._visits_to_come = int(spec.options.visit is not None)
        self._seats: dict[str, _OpenSeat] = {}
        self._executed: dict[str, int] = {}  # job -> its place among those that began to execute

    # --- what workers ask ---

    def open_seat(self, worker: str) -> Seat | None:
        """Open the next seat there is work for, the lowest number of any lane first; None when there is none."""
        if self.cancelled:
            return None
        open_to = [
            (number, place, lane)
            for place, (lane, seats) in enumerate(self._lane_seats.items())
            if (number := seats.next_number(self._ready.waiting(lane) + self._visits_to_come)) is not None
        ]
        if not open_to:
            return None
        number, _, lane = min(open_to)
        fence = self._next_fence()
        seat = _OpenSeat(lane, number, fence, f"{self.spec.run_id}/{lane.backend}:{lane.system}/{number}.{fence}", worker)
        self._lane_seats[lane].open(number)
        self._visits_to_come = 0
        self._seats[seat.seat_id] = seat
        return Seat(
            seat_id=seat.seat_id,
            run_id=self.spec.run_id,
            backend=lane.backend,
            system=lane.system,
            number=number,
            fence=fence,
            project=self.spec.project,
            options=self.spec.options,
            total_jobs=len(self.spec.jobs),
            may_hold=self.spec.options.hold_failed_s > 0 and (lane, number) not in self._has_held,
        )

    def assign(self, wanted: JobWanted, *, at: float) -> Assignment | None:
        """Answer a seat that is free; None when the seat is stale.

        A seat that asks again with a job in hand gets the same one: the answer may have been lost.
        """
        seat = self._seat(wanted.seat_id, wanted.fence)
        if seat is None:
            return None
        self._lane_seats[seat.lane].asked(seat.number)
        number = seat.job
        if number is None and not self.cancelled and not seat.ending:
            number = self._ready.take(seat.lane, seat.number, suite=wanted.suite, task=wanted.task)
            if number is not None:
                seat.job = number
                self._jobs[number].attempts += 1
                self._move(number, JobEvent.CLAIM, at=at, fence=seat.fence)
        if number is None:
            seat.ending = True
            self._ready.leave(seat.lane, seat.number)
            return Assignment(seat_id=seat.seat_id)
        return Assignment(seat_id=seat.seat_id, job=self.spec.jobs[number], attempt=self._jobs[number].attempts, fence=seat.fence)

    def workers(self) -> set[str]:
        """Return the workers that have a seat of this run."""
        return {seat.worker for seat in self._seats.values()}

    # --- what workers report ---

    def hear(self, report: Event) -> bool:
        """Apply a report; False when it comes from a stale seat or attempt, and then nothing is changed."""
        match report:
            case StepFinished():
                if report.verb is not Verb.CHECK and report.outcome in {Outcome.FAILED, Outcome.TIMEOUT}:
                    self._failed_steps += 1
            case ArtifactsFetched():
                self._failed_steps += bool(report.error)
            case AttemptStarted():
                return self._attempt_started(report)
            case AttemptFinished():
                return self._attempt_finished(report)
            case SeatClosed():
                return self._seat_closed(report)
            case MachineFailed(final=True):
                lane = Lane(report.backend, report.system)
                self._failed_machines[lane] = self._failed_machines.get(lane, 0) + 1
            case _:
                pass
        return True

    def numbered(self, report: Report) -> Report:
        """Return ``report``; if a job begins to execute for the first time, with its place among those that did."""
        if not isinstance(report, StepStarted) or report.verb is not Verb.EXECUTE:
            return report
        index = self._executed.setdefault(report.job, len(self._executed) + 1)
        return structs.replace(report, index=index, total=len(self.spec.jobs))

    def cancel(self, reason: str, *, at: float) -> None:
        """Let no job begin any more. Idempotent."""
        if self.cancelled:
            return
        self.cancelled = True
        self._visits_to_come = 0
        self.changes.append(RunCancelled(self.spec.run_id, reason, at))
        for lane in self._lane_seats:
            for number in self._ready.take_all(lane):
                self._move(number, JobEvent.CANCEL, at=at, reason=reason)

    # --- how it stands ---

    def is_finished(self) -> bool:
        """Tell whether every job is final, every seat closed, and nobody visits any more."""
        return not self._undecided and not self._seats and not self._visits_to_come

    def has_passed(self) -> bool:
        """Tell whether all is well: every job passed or skipped, no step failed, no machine given up."""
        return not (self.cancelled or self._bad_jobs or self._failed_steps or any(self._failed_machines.values()))

    # --- inside ---

    def _seat(self, seat_id: str, fence: int) -> _OpenSeat | None:
        seat = self._seats.get(seat_id)
        return seat if seat is not None and seat.fence == fence else None

    def _attempt(self, report: AttemptStarted | AttemptFinished) -> tuple[_OpenSeat, int] | None:
        """Return the seat and the job's number when the report is about the attempt that the seat has in hand."""
        seat = self._seat(report.seat_id, report.fence)
        number = self._number_of.get(report.job)
        if seat is None or number is None or seat.job != number or self._jobs[number].attempts != report.attempt:
            return None
        return seat, number

    def _attempt_started(self, report: AttemptStarted) -> bool:
        found = self._attempt(report)
        if found is None:
            return False
        seat, number = found
        if self._jobs[number].state is JobState.CLAIMED:
            self._begin(seat, number, at=report.at, machine_id=report.machine_id, machine=report.machine)
        return True

    def _begin(self, seat: _OpenSeat, number: int, *, at: float, machine_id: str, machine: str) -> None:
        self._move(number, JobEvent.START, at=at, fence=seat.fence)
        began = AttemptBegan(
            run_id=self.spec.run_id,
            number=number,
            attempt=self._jobs[number].attempts,
            fence=seat.fence,
            seat_id=seat.seat_id,
            worker=seat.worker,
            machine_id=machine_id,
            machine=machine,
            at=at,
        )
        self.changes.append(began)

    def _attempt_finished(self, report: AttemptFinished) -> bool:
        found = self._attempt(report)
        if found is None:
            return False
        seat, number = found
        job = self._jobs[number]
        if job.state is JobState.CLAIMED:  # it ended before there was anything to start
            self._begin(seat, number, at=report.at, machine_id="", machine=report.machine)
        if report.outcome is Outcome.INFRA:
            seat.lost = True
        else:
            seat.lost = False
            self._lane_seats[seat.lane].concluded()
        verdict = judge(report.outcome, job.infra_failures)
        decided = verdict.outcome
        if decided is None and self.cancelled:
            decided = Outcome.CANCELLED
        job.infra_failures = verdict.infra_failures
        ended = AttemptEnded(
            run_id=self.spec.run_id,
            number=number,
            attempt=report.attempt,
            outcome=report.outcome,
            decides=decided is not None,
            at=report.at,
            duration_s=report.duration_s,
            machine=report.machine,
            verb=report.verb,
            level=report.level,
            exit_code=report.exit_code,
            signal=report.signal,
            reason=report.reason,
            log=report.log,
        )
        self.changes.append(ended)
        seat.job = None
        if decided is None:
            self._queue_again(number, at=report.at, reason=report.reason)
        else:
            self._move(number, JobEvent.FINISH, at=report.at, outcome=decided, reason=report.reason)
        if decided is Outcome.PASSED and not self.spec.options.restore_only:
            key = duration_key(self.spec.jobs[number])
            self.changes.append(DurationSeen(self.spec.project.name, key, max(report.duration_s, 0.0), report.at))
        return True

    def _seat_closed(self, report: SeatClosed) -> bool:
        seat = self._seat(report.seat_id, report.fence)
        if seat is None:
            return False
        if seat.job is not None:
            self._abandon(seat, at=report.at, reason=report.reason or "its session ended")
        lost = seat.lost or report.lost
        del self._seats[seat.seat_id]
        self._ready.leave(seat.lane, seat.number)
        seats = self._lane_seats[seat.lane]
        if report.held:
            self._has_held.add((seat.lane, seat.number))
        given_up = not (seat.ending or report.held)
        replaceable = seats.close(seat.number, lost=lost and not seat.ending, given_up=given_up)
        if lost and replaceable and self._failed_machines.get(seat.lane):
            self._failed_machines[seat.lane] -= 1  # another machine takes this one's place
        if not seats.has_open and not seats.can_open:
            for number in self._ready.take_all(seat.lane):
                reason = report.reason or "no session is left"
                self._move(number, JobEvent.GIVE_UP, at=report.at, outcome=Outcome.ABORTED, reason=reason)
        return True

    def _abandon(self, seat: _OpenSeat, *, at: float, reason: str) -> None:
        """End the attempt that a closing seat leaves behind, as an infrastructure failure."""
        number = seat.job
        assert number is not None
        job = self._jobs[number]
        began = job.state is not JobState.CLAIMED
        verdict = judge(Outcome.INFRA, job.infra_failures)
        job.infra_failures = verdict.infra_failures
        seat.job, seat.lost = None, True
        # A job that was claimed only has no attempt to record, and one that is given up is decided by none.
        if began:
            self.changes.append(
                AttemptEnded(
                    run_id=self.spec.run_id,
                    number=number,
                    attempt=job.attempts,
                    outcome=Outcome.INFRA,
                    decides=False,
                    at=at,
                    duration_s=0.0,
                    reason=reason,
                )
            )
        self._queue_again(number, at=at, reason=reason, give_up=verdict.outcome)

    def _queue_again(self, number: int, *, at: float, reason: str, give_up: Outcome | None = None) -> None:
        """Put a job back; ``give_up`` ends it there at once, and so does a cancelled run."""
        self._move(number, JobEvent.LOSE, at=at, reason=reason)
        if self.cancelled:
            self._move(number, JobEvent.CANCEL, at=at, reason=reason)
        elif give_up is not None:
            self._move(number, JobEvent.GIVE_UP, at=at, outcome=give_up, reason=reason)
        else:
            self._ready.give_back(number)

    def _move(
        self, number: int, event: JobEvent, *, at: float, fence: int = 0, outcome: Outcome | None = None, reason: str = ""
    ) -> None:
        job = self._jobs[number]
        before = job.state
        job.state = advance(before, event)
        if job.state in FINAL_STATES:
            job.outcome = outcome
            self._undecided -= 1
            self._bad_jobs += outcome not in _GOOD
        self.changes.append(
            JobMoved(
                run_id=self.spec.run_id,
                number=number,
                before=before,
                after=job.state,
                at=at,
                fence=fence,
                attempt=job.attempts,
                infra_failures=job.infra_failures,
                outcome=outcome,
                reason=reason,
            )
        )
