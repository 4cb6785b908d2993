"""The scheduling of command jobs: what a submission, a worker's call, a silence and a cancel change. No I/O and no clock.

``now`` is the monotonic clock and decides about leases, ``at`` the time of day, which people read; both in seconds. What changed
is left in ``changes`` for the ledger.
"""

from collections import Counter, OrderedDict, deque
from collections.abc import Sequence
from functools import partial
from typing import Final

from msgspec import Raw, structs

from outspread.controller.command_values import (
    CONFIRM_S,
    LEASE_S,
    AttemptEnd,
    AttemptLogPiece,
    Claim,
    CommandNews,
    CommandOrders,
    Stop,
    StopReason,
    WorkerStatus,
)
from outspread.controller.farm.attempt_ids import split_attempt_id
from outspread.controller.farm.attempt_in_hand import AttemptInHand
from outspread.controller.farm.command_rules import POISON_LIMIT, Decision, Tries, decide
from outspread.controller.farm.farm_changes import (
    AttemptOver,
    FarmChange,
    JobClaimed,
    JobReleased,
    JobsStopped,
    JobStarted,
    LogWritten,
    RunOver,
    RunStopped,
    WorkerHeld,
)
from outspread.controller.farm.farm_policy import FarmPolicy, Usage
from outspread.controller.farm.owner_shares import OwnerShares
from outspread.controller.farm.plausible_end import plausible
from outspread.controller.farm.ready_queue import Blocks, Lane, ReadyJob, ReadyQueue
from outspread.controller.farm.run_state import RunState
from outspread.controller.farm.worker_state import AHEAD_S, WorkerState
from outspread.controller.farm_figures import FarmFigures, LaneFigures, LatencyFigures
from outspread.controller.values import JobState, Outcome

#: So many jobs of a cancelled run are recorded as such in one transaction.
STOPPED_AT_ONCE: Final = 20_000
#: So many attempts that ended are remembered, to know a report that comes again.
_ENDED_KEPT: Final = 100_000
#: A stop is told again after so many seconds, if its attempt still goes on.
_TELL_AGAIN_S: Final = 5.0
#: How long a reader of a log counts as reading.
_WATCHED_S: Final = 10.0
_VERDICTS: Final = frozenset({Outcome.PASSED, Outcome.FAILED, Outcome.TIMEOUT})
_PAST_INCARNATIONS: Final = 8
#: How long a worker that is gone is remembered, if nobody has put it on hold.
WORKER_KEPT_S: Final = 24 * 3600.0
_NO_POLICY: Final = FarmPolicy()


class Scheduler:
    """One cell's runs, jobs and workers. Fences grow from ``epoch``: those of an earlier owner of the cell are lower."""

    def __init__(self, *, epoch: int, policy: FarmPolicy = _NO_POLICY) -> None:
        self.changes: list[FarmChange] = []
        self.runs: dict[str, RunState] = {}
        self.workers: dict[str, WorkerState] = {}
        self._epoch = epoch
        self._fence = epoch << 32
        self._sequence = 0
        self._by_sequence: dict[int, RunState] = {}
        self.queue = ReadyQueue(OwnerShares(policy.weight))
        self.usage = Usage(policy)
        self._shares = self.queue.shares
        self._attempts: dict[int, AttemptInHand] = {}
        self._ended: OrderedDict[int, None] = OrderedDict()
        self._past: dict[str, deque[str]] = {}  # worker -> incarnations that are over
        self._orphans_until = 0.0  # attempts of before a restart wait for their workers until then
        self._watched: dict[int, float] = {}  # fence -> until when somebody reads its log
        self._disturbed: dict[str, None] = {}  # workers with something to be told, in order
        self._stopped: dict[str, RunState] = {}  # cancelled runs of which the record still has queued jobs
        self.has_news = False  # since it was last set to False, something may be for a worker that got nothing
        self._suspects = False  # there was ever a job under suspicion
        self._claims = 0
        self._leases_lost = 0
        self._outcomes: Counter[str] = Counter()

    # --- runs ---

    def next_sequence(self) -> int:
        """Return a number for a new run; it only grows."""
        self._sequence += 1
        return self._sequence

    def add_run(self, run: RunState, ready: Blocks) -> None:
        """Take a run, of which the ``ready`` jobs may be handed out."""
        self.runs[run.run_id] = run
        self.has_news = True
        if run.unstopped_from is not None:
            self._stopped[run.run_id] = run
        self._by_sequence[run.sequence] = run
        self.queue.add_run(run.sequence, run.owner, ready)

    def restore_attempt(
        self, run: RunState, number: int, *, fence: int, attempt: int, begun_at: float | None, pieces: int, now: float
    ) -> None:
        """Take an attempt of before a restart: it is some worker's, who has a whole lease's time to speak of it."""
        known = AttemptInHand(
            fence=fence,
            run_id=run.run_id,
            number=number,
            attempt=attempt,
            worker="",
            claimed_now=now,
            planned_s=run.planned_s(number),
        )
        known.begun_at = begun_at
        known.pieces = pieces
        self._attempts[fence] = known
        run.in_hand[number] = known
        self.usage.take(run.owner, run.lanes[number])
        self._orphans_until = now + LEASE_S
        if run.cancelled:
            known.stop = StopReason.CANCELLED

    def cancel(self, run_id: str, reason: str, *, at: float) -> None:
        """Let no job of a run begin any more, and have those that run stopped. Idempotent; an unknown run is none to cancel."""
        run = self.runs.get(run_id)
        if run is None or run.cancelled:
            return
        run.cancelled = True
        run.cancel_reason = reason
        self.queue.remove_run(run.sequence)
        run.stop_waiting()
        run.unstopped_from = 0
        self._stopped[run_id] = run
        self.changes.append(RunStopped(run_id, reason, at))
        for attempt in run.in_hand.values():
            attempt.stop = StopReason.CANCELLED
            if attempt.worker:
                self._disturbed[attempt.worker] = None

    def has_to_stop(self) -> bool:
        """Tell whether jobs of cancelled runs are still to be recorded as such."""
        return bool(self._stopped)

    def stop_some(self, *, at: float) -> bool:
        """Have some more jobs of cancelled runs recorded as such; return whether there are any left to do so."""
        run = next(iter(self._stopped.values()), None)
        if run is None or run.unstopped_from is None:
            return False
        first, end = run.unstopped_from, min(run.unstopped_from + STOPPED_AT_ONCE, run.total)
        in_hand = tuple(number for number in run.in_hand if first <= number < end)
        self.changes.append(JobsStopped(run.run_id, first, end, in_hand, at))
        run.unstopped_from = end if end < run.total else None
        if run.unstopped_from is None:
            del self._stopped[run.run_id]
        self._end_if_over(run, at)
        return True

    # --- workers ---

    def is_past(self, name: str, incarnation: str) -> bool:
        """Tell whether another process has taken the name of this one since."""
        return incarnation in self._past.get(name, ())

    def hear(self, name: str, news: CommandNews, *, now: float, at: float) -> list[Stop]:
        """Apply what a worker says; return the attempts that it speaks of and that are not its own (any more)."""
        worker = self.workers.get(name)
        if worker is None:
            worker = self.workers[name] = WorkerState(name)
        if news.incarnation != worker.incarnation:
            if self.is_past(name, news.incarnation):
                return [Stop(fence, StopReason.LOST) for fence in _mentioned(news)]
            self._begin_incarnation(worker, news.incarnation, at=at)
        fresh = news.sequence > worker.sequence
        if fresh:
            worker.listen(news, now)
        lost = [fence for fence in news.holding if not self._confirm(worker, fence)]
        for fence in news.begun:
            self._begin(worker, fence, at=at)
        ending = {end.fence for end in news.ended}
        for piece in news.pieces:
            self._take_piece(worker, piece, ending=piece.fence in ending)
        lost += [end.fence for end in news.ended if not self._end(worker, end, at=at)]
        for fence in news.returned:
            attempt = self._own(worker, fence)
            if attempt is not None:
                self._release(attempt, at=at, reason="given back by its worker")
        if fresh:
            self._miss(worker, frozenset(news.holding), now=now, at=at)
            if news.leaving:
                self._lose_all(worker, "its worker has left", at=at)
        return [Stop(fence, StopReason.LOST) for fence in dict.fromkeys(lost)]

    def stops_for(self, name: str, *, now: float) -> list[Stop]:
        """Return what a worker is to stop and was not told lately."""
        self._disturbed.pop(name, None)
        worker = self.workers[name]
        stops: list[Stop] = []
        for attempt in worker.in_hand.values():
            if attempt.stop is not None and now >= attempt.stop_told:
                attempt.stop_told = now + _TELL_AGAIN_S
                stops.append(Stop(attempt.fence, attempt.stop))
        return stops

    def watched_of(self, name: str, *, now: float) -> tuple[int, ...]:
        """Return the attempts of a worker whose logs somebody reads."""
        if not self._watched:
            return ()
        in_hand = self.workers[name].in_hand
        return tuple(fence for fence, until in self._watched.items() if fence in in_hand and now < until)

    def watch_log(self, attempt_id: str, *, now: float) -> bool:
        """Note that somebody reads the log of an attempt; return whether it still goes on."""
        attempt = self.in_hand(attempt_id)
        if attempt is None:
            return False
        known = self._watched.get(attempt.fence, 0.0) > now
        self._watched[attempt.fence] = now + _WATCHED_S
        if not known and attempt.worker:
            self._disturbed[attempt.worker] = None
        return True

    def in_hand(self, attempt_id: str) -> AttemptInHand | None:
        """Return an attempt that goes on."""
        run_id, number, _ = split_attempt_id(attempt_id)
        run = self.runs.get(run_id)
        attempt = run.in_hand.get(number) if run is not None else None
        return attempt if attempt is not None and attempt.attempt_id == attempt_id else None

    def disturbed(self) -> list[str]:
        """Return the workers that should be told something before their polls are over."""
        return list(self._disturbed)

    def is_disturbed(self, name: str) -> bool:
        """Tell whether there is something that a worker should be told before its poll is over."""
        return name in self._disturbed

    def handed_out(self, name: str, sequence: int) -> list[Claim]:
        """Return what the answer to a call had, if that comes again because its answer was lost."""
        in_hand = self.workers[name].in_hand.values()
        return [self._claim_of(attempt) for attempt in in_hand if attempt.claimed_in == sequence and not attempt.confirmed]

    def hand_out(self, name: str, *, sequence: int, now: float, at: float, reluctantly: bool) -> list[Claim]:
        """Claim jobs for a worker in answer to its call of this ``sequence``: one a slot, and short ones ahead.

        ``reluctantly``: retries of its own, too.
        """
        worker = self.workers[name]
        if not worker.takes_work(at):
            return []
        is_barred = self.usage.is_barred if self.usage.policy.quotas else None
        claims: list[Claim] = []
        while worker.has_room and (lanes := self._lanes_for(worker)):
            ahead = len(worker.in_hand) >= worker.slots
            wanted = partial(self._suits, worker, ahead=ahead) if ahead or self._suspects else None
            job = self.queue.take(lanes, name, reluctantly=reluctantly, wanted=wanted, is_barred=is_barred)
            if job is None:
                break
            claims.append(self._claim(worker, self._by_sequence[job.run], job.number, sequence=sequence, now=now))
        return claims

    def has_ready(self) -> bool:
        """Tell whether any job waits."""
        return self.queue.has_any

    def has_room(self, name: str) -> bool:
        """Tell whether a worker could take another job."""
        return self.workers[name].has_room

    def connection_lost(self, name: str, incarnation: str, *, since: float, now: float, at: float) -> None:
        """Take back what a worker has, if it said nothing since ``since``: its connection broke then."""
        worker = self.workers.get(name)
        if worker is None or worker.incarnation != incarnation or worker.heard_now > since:
            return
        worker.connected = False
        self._lose_all(worker, "its worker's connection broke", at=at)

    def tick(self, *, now: float, at: float) -> None:
        """Apply what silence means: leases that ran out, claims that were not confirmed. To be called about each second."""
        for worker in self.workers.values():
            if worker.connected and now - worker.heard_now > LEASE_S:
                worker.connected = False
                self._lose_all(worker, f"its worker was silent for {LEASE_S:g} s", at=at)
            for attempt in [attempt for attempt in worker.in_hand.values() if _is_unconfirmed(attempt, now)]:
                self._release(attempt, at=at, reason="its claim was not confirmed")
        if self._orphans_until and now >= self._orphans_until:
            self._orphans_until = 0.0
            for attempt in [attempt for attempt in self._attempts.values() if not attempt.worker]:
                self._lose(attempt, "no worker has spoken of it since the controller began", at=at)
        if self._watched:
            self._watched = {fence: until for fence, until in self._watched.items() if now < until}
        self._forget_workers(now=now, at=at)

    def hold(self, name: str, *, reason: str, until: float, at: float) -> bool:
        """Let a worker take no work until then; False when it is not known."""
        worker = self.workers.get(name)
        if worker is None:
            return False
        worker.hold_reason, worker.held_until = reason, until
        self.changes.append(WorkerHeld(name, reason, until, at))
        return True

    def expect_held(self, name: str, *, reason: str, until: float) -> None:
        """Take a hold of before a restart."""
        worker = self.workers[name] = WorkerState(name)
        worker.hold_reason, worker.held_until = reason, until

    def end_what_is_over(self, *, at: float) -> None:
        """End runs of before a restart in which nothing is left to do."""
        for run in list(self.runs.values()):
            self._end_if_over(run, at)

    def worker_statuses(self, *, now: float, at: float) -> list[WorkerStatus]:
        """Return all workers, by name."""
        return [worker.status(now=now, at=at) for _, worker in sorted(self.workers.items())]

    def figures(self, *, now: float, at: float, commits: int, commit: LatencyFigures, exchange: LatencyFigures) -> FarmFigures:
        """Return how it goes, with what others have measured."""
        statuses = self.worker_statuses(now=now, at=at)
        oldest = {lane: self._by_sequence[run].submitted_at for lane, run in self.queue.oldest().items()}
        return FarmFigures(
            lanes=tuple(
                LaneFigures(
                    ",".join((*(f"{key}={value}" for key, value in lane.requires), *(f"limit:{name}" for name in lane.limits))),
                    self.queue.waiting(lane),
                    max(0.0, at - oldest[lane]),
                )
                for lane in self.queue.lanes()
            ),
            running=len(self._attempts),
            workers_connected=sum(worker.connected for worker in statuses),
            workers_held=sum(worker.connected and bool(worker.hold) for worker in statuses),
            slots=sum(worker.slots for worker in statuses if worker.connected),
            runs=len(self.runs),
            attempts=dict(self._outcomes),
            claims=self._claims,
            leases_lost=self._leases_lost,
            commits=commits,
            commit=commit,
            exchange=exchange,
        )

    def note_claims(self) -> None:
        """Have what is claimed and has not begun recorded: this controller ends, and the next is to know."""
        for attempt in self._attempts.values():
            if attempt.begun_at is None:
                self.changes.append(JobClaimed(attempt.run_id, attempt.number, attempt.attempt, attempt.fence))

    # --- inside ---

    def _begin_incarnation(self, worker: WorkerState, incarnation: str, *, at: float) -> None:
        if worker.incarnation:
            self._past.setdefault(worker.name, deque(maxlen=_PAST_INCARNATIONS)).append(worker.incarnation)
            self._lose_all(worker, "its worker was started again", at=at)
        worker.incarnation = incarnation
        worker.sequence = -1

    def _claim(self, worker: WorkerState, run: RunState, number: int, *, sequence: int, now: float) -> Claim:
        self._fence += 1
        self._claims += 1
        run.leave_queue(number)
        run.attempts[number] += 1
        attempt = AttemptInHand(
            fence=self._fence,
            run_id=run.run_id,
            number=number,
            attempt=run.attempts[number],
            worker=worker.name,
            claimed_now=now,
            planned_s=run.planned_s(number),
        )
        self._attempts[self._fence] = attempt
        run.in_hand[number] = attempt
        worker.in_hand[self._fence] = attempt
        worker.planned_s += attempt.planned_s
        self._shares.serve(run.owner, attempt.planned_s)
        self.usage.take(run.owner, run.lanes[number])
        attempt.claimed_in = sequence
        return self._claim_of(attempt)

    def _claim_of(self, attempt: AttemptInHand) -> Claim:
        run = self.runs[attempt.run_id]
        return Claim(
            fence=attempt.fence,
            run_id=run.run_id,
            number=attempt.number,
            attempt=attempt.attempt,
            job=Raw(run.jobs[attempt.number]),
            owner=run.owner,
            expected_s=attempt.planned_s,
        )

    def _lanes_for(self, worker: WorkerState) -> list[Lane]:
        return [lane for lane in self.queue.lanes() if worker.may_serve(lane) and not self.usage.full_limit(lane)]

    def _suits(self, worker: WorkerState, job: ReadyJob, *, ahead: bool) -> bool:
        """Tell whether a worker may be given a job: ahead of its slots short ones only, and one suspect at a time."""
        run = self._by_sequence[job.run]
        if run.tried(job.number).is_suspect:
            return not ahead and not any(self._is_suspect(attempt) for attempt in worker.in_hand.values())
        return not ahead or run.planned_s(job.number) <= AHEAD_S

    def _is_suspect(self, attempt: AttemptInHand) -> bool:
        return self.runs[attempt.run_id].tried(attempt.number).is_suspect

    def _own(self, worker: WorkerState, fence: int) -> AttemptInHand | None:
        """Return the attempt if it is this worker's; one of before a restart becomes so."""
        attempt = self._attempts.get(fence)
        if attempt is None:
            return None
        if not attempt.worker:
            attempt.worker = worker.name
            worker.in_hand[fence] = attempt
            worker.planned_s += attempt.planned_s
        return attempt if attempt.worker == worker.name else None

    def _confirm(self, worker: WorkerState, fence: int) -> bool:
        attempt = self._own(worker, fence)
        if attempt is None:
            return fence in self._ended
        attempt.confirmed = True
        return True

    def _begin(self, worker: WorkerState, fence: int, *, at: float) -> None:
        attempt = self._own(worker, fence)
        if attempt is None or attempt.begun_at is not None:
            return
        attempt.begun_at = at
        attempt.confirmed = True
        self.changes.append(JobStarted(attempt.run_id, attempt.number, attempt.attempt, fence, worker.name, at))

    def _take_piece(self, worker: WorkerState, piece: AttemptLogPiece, *, ending: bool) -> None:
        attempt = self._own(worker, piece.fence)
        if attempt is None or piece.number != attempt.pieces:
            return
        attempt.pieces += 1
        data = piece.data
        if piece.skipped_bytes > 0:
            data = b"\n[... %d bytes left out ...]\n" % piece.skipped_bytes + data
        if ending and piece.number == len(attempt.log):
            attempt.log.append(data)
            return
        self.changes.append(LogWritten(attempt.run_id, attempt.number, attempt.attempt, piece.number, data))

    def _end(self, worker: WorkerState, end: AttemptEnd, *, at: float) -> bool:
        """Take the end of an attempt; False when it is not this worker's and never was."""
        attempt = self._own(worker, end.fence)
        if attempt is None:
            return end.fence in self._ended
        end = plausible(end)
        if end.pieces != attempt.pieces:
            end = structs.replace(end, remark=f"{end.remark}; " * bool(end.remark) + "a part of its log was lost")
        run = self.runs[attempt.run_id]
        self._conclude(attempt, end, at=at)
        self._ended[end.fence] = None
        if len(self._ended) > _ENDED_KEPT:
            self._ended.popitem(last=False)
        if end.outcome in _VERDICTS:
            worker.succeeded()
            took_s = end.fetch_s + end.run_s + end.collect_s
            run.took(took_s)
            self._shares.serve(run.owner, took_s - attempt.planned_s)
        elif end.outcome is Outcome.INFRA and worker.failed(end.reason, at):
            self.changes.append(WorkerHeld(worker.name, worker.hold_reason, worker.held_until, at))
        return True

    def _conclude(
        self, attempt: AttemptInHand, end: AttemptEnd, *, at: float, lost_worker: str = "", blameless: bool = False
    ) -> None:
        """End an attempt, and decide what becomes of its job; one without blame is queued again, whatever is behind it."""
        run, number = self.runs[attempt.run_id], attempt.number
        tries = run.tried(number)
        outcome = end.outcome
        if outcome is Outcome.CANCELLED and not run.cancelled:
            outcome = Outcome.INFRA
        if run.cancelled and outcome is Outcome.INFRA:
            outcome = Outcome.CANCELLED
        retries = 0 if run.cancelled else run.retries[number]
        decision = (
            Decision(tries, None, end.reason)
            if blameless and outcome is Outcome.INFRA
            else decide(tries, outcome, retries=retries, reason=end.reason, lost_worker=lost_worker)
        )
        flaky = decision.outcome is Outcome.PASSED and decision.tries.failures > 0
        run.places += 1
        final = decision.outcome is not None
        self.changes.append(
            AttemptOver(
                run_id=run.run_id,
                number=number,
                attempt=attempt.attempt,
                fence=attempt.fence,
                worker=attempt.worker,
                begun_at=attempt.begun_at if attempt.begun_at is not None else at - end.run_s,
                at=at,
                end=structs.replace(end, outcome=outcome),
                log=b"".join(attempt.log),
                decides=final,
                place=run.places,
                state=JobState.DONE if final else JobState.QUEUED,
                outcome=decision.outcome,
                flaky=flaky,
                infra_failures=decision.tries.infra_failures,
                reason=decision.reason,
                key=run.keys[number] if outcome is Outcome.PASSED else "",
                project=run.project,
            )
        )
        self._let_go(attempt)
        self._outcomes[outcome.value] += 1
        if decision.outcome is not None:
            run.decide(number, decision.outcome, flaky=flaky)
            if run.stop_after and run.failed >= run.stop_after and run.waiting:
                self.cancel(run.run_id, f"{run.failed} jobs failed", at=at)
            self._end_if_over(run, at)
        else:
            run.retried += outcome is not Outcome.INFRA
            self._queue_again(run, number, decision.tries, last_worker=attempt.worker)

    def _release(self, attempt: AttemptInHand, *, at: float, reason: str) -> None:
        """Put a job back whose attempt says nothing about it: no failure is counted."""
        run, number = self.runs[attempt.run_id], attempt.number
        if attempt.begun_at is not None:
            self._conclude(attempt, AttemptEnd(attempt.fence, Outcome.INFRA, reason=reason), at=at, blameless=True)
            return
        self._let_go(attempt)
        run.attempts[number] -= 1
        if run.cancelled:
            self.changes.append(JobReleased(run.run_id, number, JobState.CANCELLED, run.tried(number).infra_failures, at))
            run.decide(number, Outcome.CANCELLED, flaky=False)
            self._end_if_over(run, at)
        else:
            self.changes.append(JobReleased(run.run_id, number, JobState.QUEUED, run.tried(number).infra_failures, at))
            self._queue_again(run, number, run.tried(number), last_worker="")

    def _queue_again(self, run: RunState, number: int, tries: Tries, *, last_worker: str) -> None:
        run.tries[number] = tries
        self._suspects = self._suspects or tries.is_suspect
        run.join_queue(number)
        self.has_news = True
        self.queue.put_back(run.ready_job(number), run.lanes[number], run.priorities[number], run.expected_s[number], last_worker)

    def _let_go(self, attempt: AttemptInHand) -> None:
        del self._attempts[attempt.fence]
        self._watched.pop(attempt.fence, None)
        run = self.runs[attempt.run_id]
        del run.in_hand[attempt.number]
        self.has_news = self.has_news or self.usage.is_scarce(run.lanes[attempt.number])
        self.usage.give_back(run.owner, run.lanes[attempt.number])
        if attempt.worker:
            worker = self.workers[attempt.worker]
            del worker.in_hand[attempt.fence]
            worker.planned_s = worker.planned_s - attempt.planned_s if worker.in_hand else 0.0

    def _lose(self, attempt: AttemptInHand, reason: str, *, at: float) -> None:
        """Take an attempt from a worker that is gone."""
        self._leases_lost += 1
        run = self.runs[attempt.run_id]
        tries = run.tried(attempt.number).lost_with(attempt.worker) if attempt.worker else run.tried(attempt.number)
        if attempt.begun_at is None and len(tries.ended_workers) < POISON_LIMIT:
            run.tries[attempt.number] = tries
            self._release(attempt, at=at, reason=reason)
        else:
            end = AttemptEnd(attempt.fence, Outcome.INFRA, reason=reason)
            self._conclude(attempt, end, at=at, lost_worker=attempt.worker)

    def _lose_all(self, worker: WorkerState, reason: str, *, at: float) -> None:
        for attempt in tuple(worker.in_hand.values()):
            self._lose(attempt, reason, at=at)

    def _miss(self, worker: WorkerState, holding: frozenset[int], *, now: float, at: float) -> None:
        """Take back what a worker does not have any more, or never heard of."""
        for attempt in [attempt for fence, attempt in worker.in_hand.items() if fence not in holding]:
            if attempt.confirmed:
                self._lose(attempt, "its worker does not have it any more", at=at)
            elif _is_unconfirmed(attempt, now):
                self._release(attempt, at=at, reason="its claim was not confirmed")

    def _forget_workers(self, *, now: float, at: float) -> None:
        gone = [worker for worker in self.workers.values() if not worker.connected and now - worker.heard_now > WORKER_KEPT_S]
        for worker in gone:
            if not worker.in_hand and worker.held_until <= at:
                del self.workers[worker.name]
                self._past.pop(worker.name, None)
                self._disturbed.pop(worker.name, None)

    def _end_if_over(self, run: RunState, at: float) -> None:
        if not run.is_over or run.run_id not in self.runs:
            return
        self.queue.remove_run(run.sequence)
        del self.runs[run.run_id], self._by_sequence[run.sequence]
        self.changes.append(RunOver(run.run_id, passed=run.has_passed, cancelled=run.cancelled, counts=run.counts, at=at))

    def orders(self, name: str, lost: Sequence[Stop], claims: Sequence[Claim], *, now: float) -> CommandOrders:
        """Return what a worker is answered."""
        return CommandOrders(
            claims=tuple(claims), stops=(*lost, *self.stops_for(name, now=now)), watched=self.watched_of(name, now=now)
        )


def _is_unconfirmed(attempt: AttemptInHand, now: float) -> bool:
    return not attempt.confirmed and now - attempt.claimed_now > CONFIRM_S


def _mentioned(news: CommandNews) -> list[int]:
    return list(dict.fromkeys([*news.holding, *news.begun, *(end.fence for end in news.ended)]))
