"""A run under sessions that do whatever sessions may do: each job ends once, nothing is stranded, every change is legal."""

import itertools
from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from outspread.controller.changes import AttemptBegan, AttemptEnded, JobMoved
from outspread.controller.job_states import FINAL_STATES, INFRA_LIMIT, TRANSITIONS
from outspread.controller.lane_seats import LOSSES_IN_A_ROW_LIMIT
from outspread.controller.run_in_hand import RunInHand, SeatPlan, plan_seats
from outspread.controller.values import (
    Assignment,
    AttemptFinished,
    AttemptStarted,
    JobState,
    JobWanted,
    Level,
    MachineFailed,
    Order,
    Outcome,
    RunOptions,
    RunSpec,
    Seat,
    SeatClosed,
    StepFinished,
    Verb,
)
from outspread.project.model import Backend, Job, Project, System


def begin(run: RunSpec) -> RunInHand:
    return RunInHand(run, plan_seats(run, chosen_seed=7), expected_s=(), next_fence=itertools.count(1).__next__)


def opened(run: RunInHand) -> Seat:
    seat = run.open_seat("worker")
    assert seat is not None
    return seat


def want(run: RunInHand, seat: Seat) -> Assignment:
    assignment = run.assign(JobWanted(seat.seat_id, seat.fence), at=1.0)
    assert assignment is not None
    return assignment


def start(run: RunInHand, given: Assignment) -> bool:
    assert given.job is not None
    return run.hear(AttemptStarted(2.0, given.seat_id, given.fence, given.job.name, given.attempt, "m1", "b:s"))


def finish(run: RunInHand, given: Assignment, outcome: Outcome = Outcome.PASSED) -> bool:
    assert given.job is not None
    return run.hear(AttemptFinished(3.0, given.seat_id, given.fence, given.job.name, given.attempt, outcome, 1.0))


def close(run: RunInHand, seat: Seat, reason: str = "", *, lost: bool = False) -> bool:
    return run.hear(SeatClosed(4.0, seat.seat_id, seat.fence, reason, lost=lost))


def outcomes(run: RunInHand) -> dict[int, Outcome | None]:
    return {c.number: c.outcome for c in run.changes if isinstance(c, JobMoved) and c.after in FINAL_STATES}


def test_a_run_of_one_job(make_run: Callable[..., RunSpec]) -> None:
    run = begin(make_run("b:s:x/1"))
    seat = opened(run)
    assert run.open_seat("worker") is None
    given_job = want(run, seat)
    assert start(run, given_job)
    assert finish(run, given_job)
    assert not run.is_finished()
    assert want(run, seat).job is None
    assert close(run, seat)
    assert run.is_finished()
    assert run.has_passed()
    assert outcomes(run) == {0: Outcome.PASSED}


def test_seats_are_as_many_as_workers_but_not_more_than_jobs(make_run: Callable[..., RunSpec]) -> None:
    jobs = ["b:s:x/1", "b:s:x/2", "b:s:x/3", "b:t:x/1"]
    assert list(plan_seats(make_run(*jobs, workers=2), chosen_seed=9).sessions.values()) == [2, 1]
    options = RunOptions(workers=8)
    assert list(plan_seats(make_run(*jobs, workers=2, options=options), chosen_seed=9).sessions.values()) == [3, 1]


def test_seats_of_all_systems_are_opened_before_second_ones(make_run: Callable[..., RunSpec]) -> None:
    run = begin(make_run("b:s:x/1", "b:s:x/2", "b:t:x/1", "b:t:x/2", workers=2))
    assert [(seat.system, seat.number) for seat in (opened(run) for _ in range(4))] == [("s", 0), ("t", 0), ("s", 1), ("t", 1)]
    assert run.open_seat("worker") is None


@pytest.mark.parametrize(
    ("workers", "seed", "plan"),
    [(1, 0, (9, True)), (2, 0, (0, False)), (1, 5, (5, True)), (2, 5, (5, False))],
)
def test_the_seed_is_chosen_where_it_matters(
    make_run: Callable[..., RunSpec], workers: int, seed: int, plan: tuple[int, bool]
) -> None:
    made: SeatPlan = plan_seats(make_run("b:s:x/1", "b:s:x/2", workers=workers, options=RunOptions(seed=seed)), chosen_seed=9)
    assert (made.seed, made.seed_matters) == plan


def test_the_seed_does_not_matter_to_a_given_order(make_run: Callable[..., RunSpec]) -> None:
    run = make_run("b:s:x/1", "b:s:x/2", options=RunOptions(order=Order.GIVEN))
    assert not plan_seats(run, chosen_seed=9).seed_matters


def test_asking_again_gets_the_same_job(make_run: Callable[..., RunSpec]) -> None:
    run = begin(make_run("b:s:x/1", "b:s:x/2"))
    seat = opened(run)
    assert want(run, seat) == want(run, seat)


def test_late_and_double_reports_change_nothing(make_run: Callable[..., RunSpec]) -> None:
    run = begin(make_run("b:s:x/1"))
    seat = opened(run)
    given_job = want(run, seat)
    start(run, given_job)
    assert start(run, given_job)  # twice: fine
    assert sum(isinstance(change, AttemptBegan) for change in run.changes) == 1
    finish(run, given_job)
    run.changes.clear()
    assert not finish(run, given_job, Outcome.FAILED)
    assert not start(run, given_job)
    assert run.assign(JobWanted(seat.seat_id, seat.fence + 1), at=1.0) is None
    assert not run.hear(SeatClosed(4.0, seat.seat_id, seat.fence + 1))
    assert run.changes == []
    close(run, seat)
    assert not close(run, seat)
    assert run.has_passed()


def test_an_attempt_may_end_without_having_started(make_run: Callable[..., RunSpec]) -> None:
    run = begin(make_run("b:s:x/1"))
    seat = opened(run)
    assert finish(run, want(run, seat), Outcome.ABORTED)
    assert [type(change) for change in run.changes if not isinstance(change, JobMoved)] == [AttemptBegan, AttemptEnded]
    want(run, seat)
    close(run, seat)
    assert run.is_finished()
    assert outcomes(run) == {0: Outcome.ABORTED}


def test_a_late_result_of_an_earlier_attempt_is_refused(make_run: Callable[..., RunSpec]) -> None:
    run = begin(make_run("b:s:x/1"))
    seat = opened(run)
    first = want(run, seat)
    start(run, first)
    finish(run, first, Outcome.INFRA)
    second = want(run, seat)
    assert second.attempt == 2
    start(run, second)
    assert not finish(run, first)
    assert finish(run, second)


def test_infrastructure_failures_get_new_seats_until_the_limit(make_run: Callable[..., RunSpec]) -> None:
    run = begin(make_run("b:s:x/1"))
    for _ in range(INFRA_LIMIT):
        seat = opened(run)
        given_job = want(run, seat)
        start(run, given_job)
        run.hear(MachineFailed(3.0, "m1", "b", "s", "gone", final=True))
        finish(run, given_job, Outcome.INFRA)
        close(run, seat, "the machine is gone")
    assert outcomes(run) == {0: Outcome.INFRA}
    assert run.is_finished()
    assert not run.has_passed()


def test_a_lost_machine_that_is_replaced_does_not_fail_the_run(make_run: Callable[..., RunSpec]) -> None:
    run = begin(make_run("b:s:x/1"))
    seat = opened(run)
    start(run, want(run, seat))
    run.hear(MachineFailed(3.0, "m1", "b", "s", "gone", final=True))
    close(run, seat, "the machine is gone")  # with its attempt open
    again = opened(run)
    second = want(run, again)
    start(run, second)
    finish(run, second)
    want(run, again)
    close(run, again)
    assert run.is_finished()
    assert run.has_passed()
    assert [c.outcome for c in run.changes if isinstance(c, AttemptEnded)] == [Outcome.INFRA, Outcome.PASSED]


def test_a_seat_without_a_machine_leaves_its_jobs_to_the_others(make_run: Callable[..., RunSpec]) -> None:
    run = begin(make_run("b:s:x/1", "b:s:x/2", workers=2))
    poor, rich = opened(run), opened(run)
    run.hear(MachineFailed(3.0, "m1", "b", "s", "quota", final=True))
    close(run, poor, "quota")
    assert run.open_seat("worker") is None
    for _ in range(2):
        given_job = want(run, rich)
        start(run, given_job)
        finish(run, given_job)
    want(run, rich)
    close(run, rich)
    assert run.is_finished()
    assert not run.has_passed()  # a machine failed for good


def test_when_the_last_seat_is_given_up_its_jobs_are_aborted(make_run: Callable[..., RunSpec]) -> None:
    run = begin(make_run("b:s:x/1", "b:s:x/2", "b:t:x/1"))
    broken, fine = opened(run), opened(run)
    given_job = want(run, broken)
    start(run, given_job)
    finish(run, given_job, Outcome.PASSED)
    close(run, broken, "the system is broken")
    left = 1 - run.spec.jobs.index(given_job.job) if given_job.job else 0
    assert outcomes(run)[left] is Outcome.ABORTED
    assert not run.is_finished()
    other = want(run, fine)
    start(run, other)
    finish(run, other)
    want(run, fine)
    close(run, fine)
    assert run.is_finished()
    assert not run.has_passed()


def test_a_job_that_comes_back_after_all_others_were_sent_home_gets_a_new_seat(make_run: Callable[..., RunSpec]) -> None:
    run = begin(make_run("b:s:x/1", "b:s:x/2", workers=2))
    one, two = opened(run), opened(run)
    first, second = want(run, one), want(run, two)
    for given_job in (first, second):
        start(run, given_job)
    finish(run, first)
    assert want(run, one).job is None
    finish(run, second, Outcome.INFRA)
    close(run, two, "lost")
    assert want(run, one).job is None  # it is on its way out
    close(run, one)
    again = opened(run)
    third = want(run, again)
    assert third.job == second.job
    start(run, third)
    finish(run, third)
    want(run, again)
    close(run, again)
    assert run.is_finished()
    assert run.has_passed()


def test_a_machine_lost_after_the_verdict_is_replaced_too(make_run: Callable[..., RunSpec]) -> None:
    run = begin(make_run("b:s:x/1", "b:s:x/2"))
    first = opened(run)
    given = want(run, first)
    start(run, given)
    finish(run, given)
    close(run, first, "lost the connection", lost=True)
    second = opened(run)
    given = want(run, second)
    start(run, given)
    finish(run, given)
    close(run, second)
    assert set(outcomes(run).values()) == {Outcome.PASSED}
    assert run.is_finished()
    assert run.has_passed()


def test_a_system_whose_machines_all_get_lost_is_given_up(make_run: Callable[..., RunSpec]) -> None:
    run = begin(make_run(*(f"b:s:x/{n}" for n in range(20))))
    seats = 0
    while (seat := run.open_seat("worker")) is not None:
        seats += 1
        start(run, want(run, seat))
        close(run, seat, "lost")
    assert seats == LOSSES_IN_A_ROW_LIMIT
    assert run.is_finished()


def test_cancel_is_final(make_run: Callable[..., RunSpec]) -> None:
    run = begin(make_run("b:s:x/1", "b:s:x/2", workers=2))
    one, two = opened(run), opened(run)
    running = want(run, one)
    start(run, running)
    run.cancel("enough", at=5.0)
    run.cancel("enough", at=6.0)
    assert run.open_seat("worker") is None
    assert want(run, two).job is None
    finish(run, running, Outcome.INFRA)
    assert want(run, one).job is None
    close(run, one)
    assert not run.is_finished()
    close(run, two)
    assert run.is_finished()
    assert not run.has_passed()
    assert Counter(outcomes(run).values()) == {None: 1, Outcome.CANCELLED: 1}


@pytest.mark.parametrize(
    ("outcome", "verb", "passed"), [(Outcome.FAILED, Verb.RESTORE, False), (Outcome.FAILED, Verb.CHECK, True)]
)
def test_a_failed_step_fails_the_run(make_run: Callable[..., RunSpec], outcome: Outcome, verb: Verb, passed: bool) -> None:
    run = begin(make_run("b:s:x/1"))
    run.hear(StepFinished(1.0, verb, Level.SUITE, "b:s:x/", "b:s", "", "b", "s", outcome=outcome))
    assert run.has_passed() is passed


PROJECT = Project(
    name="p",
    root="/p",
    file="/p/spread.yaml",
    path="/r",
    suites={},
    backends={"b": Backend("b", "adhoc", {name: System(name, "b", workers=3) for name in ("s", "t")})},
)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_whatever_sessions_do_every_job_ends_once_and_none_is_stranded(data: st.DataObject) -> None:
    jobs = tuple(
        Job(f"b:{system}:x/{n}", "b", system, "x/", f"x/{n}")
        for system in ("s", "t")
        for n in range(data.draw(st.integers(0, 6)))
    )
    run = begin(RunSpec("r", "me", PROJECT, jobs, RunOptions(seed=1)))
    held: dict[str, tuple[Seat, Assignment | None]] = {}
    actions = st.sampled_from(
        ["open", "open", "want", "want", "want", "pass", "pass", "fail", "infra", "close", "give-up", "cancel"]
    )
    for _ in range(data.draw(st.integers(0, 60))):
        action = data.draw(actions)
        if action == "open" and (seat := run.open_seat("w")):
            held[seat.seat_id] = (seat, None)
        elif action == "cancel" and data.draw(st.integers(0, 9)) == 0:
            run.cancel("enough", at=1.0)
        elif held and action not in {"open", "cancel"}:
            seat, assignment = held[data.draw(st.sampled_from(sorted(held)))]
            held[seat.seat_id] = (seat, _act(run, seat, assignment, action))
            if action in {"close", "give-up"}:
                del held[seat.seat_id]
        _limits_hold(run, held)
    for _ in range(10 * len(jobs) + 20):  # now all goes well: the rest must come to its end
        if (seat := run.open_seat("w")) is not None:
            held[seat.seat_id] = (seat, None)
        for seat, in_hand in tuple(held.values()):
            assignment = in_hand or _act(run, seat, None, "want")
            assert assignment is not None
            if assignment.job is None:
                close(run, seat)
                del held[seat.seat_id]
            else:
                finish(run, assignment)
                held[seat.seat_id] = (seat, None)
        if run.is_finished():
            break
    assert run.is_finished()
    assert set(outcomes(run)) == set(range(len(jobs)))
    _changes_are_legal(run)


def _act(run: RunInHand, seat: Seat, assignment: Assignment | None, action: str) -> Assignment | None:
    if action == "want" and (assignment is None or assignment.job is None):
        assignment = want(run, seat)
        if assignment.job is not None:
            start(run, assignment)
        return assignment
    results = {"pass": Outcome.PASSED, "fail": Outcome.FAILED, "infra": Outcome.INFRA}
    if action in results and assignment is not None and assignment.job is not None:
        assert finish(run, assignment, results[action])
        return None
    if action in {"close", "give-up"}:
        assert close(run, seat, "given up" if action == "give-up" else "")
    return assignment


def _limits_hold(run: RunInHand, held: dict[str, tuple[Seat, Assignment | None]]) -> None:
    numbers = Counter((seat.system, seat.number) for seat, _ in held.values())
    assert all(count == 1 for count in numbers.values())
    assert all(number < 3 for _, number in numbers)
    in_hand = Counter(given_job.job.name for _, given_job in held.values() if given_job and given_job.job)
    assert all(count == 1 for count in in_hand.values())


def _changes_are_legal(run: RunInHand) -> None:
    """What the tables enforce: legal transitions, one deciding attempt for a job, attempts numbered on."""
    states = [JobState.QUEUED] * len(run.spec.jobs)
    deciding: Counter[int] = Counter()
    moves = {(before, after) for (before, _), after in TRANSITIONS.items()}
    for change in run.changes:
        if isinstance(change, JobMoved):
            assert states[change.number] is change.before
            assert (change.before, change.after) in moves
            assert change.infra_failures <= INFRA_LIMIT
            states[change.number] = change.after
        elif isinstance(change, AttemptEnded):
            deciding[change.number] += change.decides
    assert all(state in FINAL_STATES for state in states)
    assert all(count <= 1 for count in deciding.values())


def test_a_seat_whose_machine_is_held_goes_on_with_another_and_holds_no_more(make_run: Callable[..., RunSpec]) -> None:
    run = begin(make_run("b:s:x/1", "b:s:x/2", options=RunOptions(hold_failed_s=60.0)))
    first = opened(run)
    assert first.may_hold
    given = want(run, first)
    start(run, given)
    finish(run, given, Outcome.FAILED)
    assert run.hear(SeatClosed(4.0, first.seat_id, first.fence, "", held=True))
    second = opened(run)
    assert (second.number, second.may_hold) == (first.number, False)
    given = want(run, second)
    start(run, given)
    finish(run, given)
    assert want(run, second).job is None
    close(run, second)
    assert run.is_finished()
    assert sorted(filter(None, outcomes(run).values())) == [Outcome.FAILED, Outcome.PASSED]


def test_a_visit_is_a_run_of_one_seat_and_no_job(make_run: Callable[..., RunSpec]) -> None:
    jobless = structs.replace(make_run("b:s:x/1"), jobs=(), options=RunOptions(visit=("b", "s")))
    run = begin(jobless)
    assert not run.is_finished()
    seat = opened(run)
    assert run.open_seat("worker") is None
    assert not run.is_finished()
    close(run, seat)
    assert run.open_seat("worker") is None
    assert run.is_finished()
    assert run.has_passed()


def test_a_visit_that_is_cancelled_before_it_begins_is_over(make_run: Callable[..., RunSpec]) -> None:
    run = begin(structs.replace(make_run("b:s:x/1"), jobs=(), options=RunOptions(visit=("b", "s"))))
    run.cancel("stopped", at=1.0)
    assert run.open_seat("worker") is None
    assert run.is_finished()
