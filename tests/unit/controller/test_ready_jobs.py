"""The queue against a plain rewriting of the rule that looks at every job for every pick."""

import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outspread.controller.permutation import permutation
from outspread.controller.ready_jobs import Lane, ReadyJobs
from outspread.controller.values import Order
from outspread.project.model import Job

LANE = Lane("b", "s")


class PlainRule:
    """The rule of Spread for one lane, as slow as it is plain."""

    def __init__(self, jobs: list[Job], order: Order, seed: int, expected_s: list[float]) -> None:
        self.jobs, self.order, self.seed, self.expected_s = jobs, order, seed, expected_s
        self.pending = set(range(len(jobs)))
        self.returned: list[int] = []
        self.suite_of: dict[int, str] = {}

    def arranged(self, seat: int) -> list[int]:
        if self.order is Order.RANDOM:
            order = permutation(len(self.jobs), self.seed + seat)
        else:
            order = sorted(range(len(self.jobs)), key=lambda number: -self.expected_s[number])
        back = [number for number in self.returned if number in self.pending]
        return back + [number for number in order if number in self.pending and number not in back]

    def lowest_sample(self, task: str) -> int | None:
        of_task = [n for n in self.pending if self.jobs[n].task == task and self.jobs[n].samples > 1]
        return min(of_task, key=lambda number: (self.jobs[number].sample, number), default=None)

    def choose(self, seat: int, suite: str, task: str) -> int | None:
        if not self.pending:
            return None
        if (sample := self.lowest_sample(task)) is not None:
            return sample
        top = max(self.jobs[number].priority for number in self.pending)
        ready = [number for number in self.arranged(seat) if self.jobs[number].priority == top]
        here = [number for number in ready if self.jobs[number].suite == suite]
        if here:
            chosen = here[0]
        else:
            crowd = list(self.suite_of.values())
            chosen = min(ready, key=lambda number: crowd.count(self.jobs[number].suite))
        sample = self.lowest_sample(self.jobs[chosen].task)
        return chosen if sample is None else sample

    def follow(self, seat: int, number: int) -> None:
        self.pending.remove(number)
        if number in self.returned:
            self.returned.remove(number)
        self.suite_of[seat] = self.jobs[number].suite

    def give_back(self, number: int) -> None:
        self.pending.add(number)
        self.returned.append(number)


@st.composite
def job_lists(draw: st.DrawFn) -> list[Job]:
    jobs = []
    for number in range(draw(st.integers(1, 12))):
        suite = draw(st.sampled_from(["a/", "b/", "c/"]))
        samples = draw(st.sampled_from([1, 1, 1, 2, 3]))
        priority = draw(st.sampled_from([0, 0, 1, -1]))
        task = f"{suite}t{number}"
        jobs += [
            Job(f"b:s:{task}#{n}", "b", "s", suite, task, sample=n, samples=samples, priority=priority)
            for n in range(1, samples + 1)
        ]
    return draw(st.permutations(jobs))


@settings(max_examples=150, deadline=None)
@given(
    jobs=job_lists(),
    order=st.sampled_from([Order.RANDOM, Order.LONGEST]),
    seed=st.integers(0, 2**40),
    steps=st.lists(st.tuples(st.integers(0, 2), st.sampled_from(["take", "take", "take", "back", "leave"]), st.integers(0, 99))),
)
def test_every_pick_is_that_of_the_plain_rule(
    jobs: list[Job], order: Order, seed: int, steps: list[tuple[int, str, int]]
) -> None:
    expected_s = [float(sum(job.task.encode()) % 3) for job in jobs]
    plain = PlainRule(jobs, order, seed, expected_s)
    ready = ReadyJobs(jobs, order=order, seed=seed, expected_s=expected_s)
    last: dict[int, Job] = {}
    away: list[int] = []
    for seat, what, pick in [*steps, *((n % 3, "take", 0) for n in range(len(jobs) + 1))]:
        if what == "back" and away:
            number = away.pop(pick % len(away))
            plain.give_back(number)
            ready.give_back(number)
        elif what == "leave":
            plain.suite_of.pop(seat, None)
            ready.leave(LANE, seat)
            last.pop(seat, None)
        elif what == "take":
            suite, task = (last[seat].suite, last[seat].task) if seat in last else ("", "")
            chosen = ready.take(LANE, seat, suite=suite, task=task)
            if len({jobs[number].suite for number in plain.returned}) > 1:
                # Of several suites that jobs came back to, the rule leaves open which goes first.
                assert chosen in plain.pending
                plain.follow(seat, chosen)
            else:
                assert chosen == plain.choose(seat, suite, task)
                if chosen is not None:
                    plain.follow(seat, chosen)
            if chosen is not None:
                last[seat] = jobs[chosen]
                away.append(chosen)
        assert ready.waiting(LANE) == len(plain.pending)
    assert ready.waiting(LANE) == 0
    assert sorted(away) == list(range(len(jobs)))


def test_given_order_knows_no_priority_and_no_suite(make_job: Callable[..., Job]) -> None:
    jobs = [
        make_job("b:s:x/1"),
        make_job("b:s:y/2", priority=9),
        make_job("b:s:x/3#2", samples=2),
        make_job("b:s:x/3#1", samples=2),
    ]
    ready = ReadyJobs(jobs, order=Order.GIVEN, seed=7)
    assert [ready.take(LANE, seat, suite="x/", task="x/3") for seat in (0, 1, 0, 1, 0)] == [0, 1, 2, 3, None]


def test_longest_first_within_a_priority(make_job: Callable[..., Job]) -> None:
    jobs = [make_job("b:s:x/1"), make_job("b:s:x/2"), make_job("b:s:x/3", priority=1), make_job("b:s:x/4")]
    ready = ReadyJobs(jobs, order=Order.LONGEST, seed=0, expected_s=[1.0, 5.0, 0.1, 5.0])
    assert [ready.take(LANE, 0, suite="x/") for _ in jobs] == [2, 1, 3, 0]


def test_samples_of_the_task_in_hand_come_before_higher_priorities(make_job: Callable[..., Job]) -> None:
    jobs = [
        make_job("b:s:x/low#1", samples=3),
        make_job("b:s:x/low#2", samples=3),
        make_job("b:s:x/low#3", samples=3),
        make_job("b:s:x/high", priority=5),
    ]
    ready = ReadyJobs(jobs, order=Order.RANDOM, seed=3)
    assert ready.take(LANE, 0) == 3
    assert ready.take(LANE, 0, suite="x/", task="x/high") == 0
    ready.give_back(3)
    assert ready.take(LANE, 0, suite="x/", task="x/low") == 1
    assert ready.take(LANE, 1) == 3


def test_a_job_given_back_again_waits_behind_those_given_back_before(make_job: Callable[..., Job]) -> None:
    ready = ReadyJobs([make_job(f"b:s:x/{n}") for n in range(4)], order=Order.LONGEST, seed=0)
    assert [ready.take(LANE, 0), ready.take(LANE, 0)] == [0, 1]
    ready.give_back(0)
    ready.give_back(1)
    assert ready.take(LANE, 0) == 0
    ready.give_back(0)
    assert [ready.take(LANE, 0) for _ in range(4)] == [1, 0, 2, 3]


def test_a_seat_that_comes_later_also_finds_what_was_given_back_first(make_job: Callable[..., Job]) -> None:
    jobs = [make_job("b:s:x/0"), make_job("b:s:y/1"), make_job("b:s:y/2")]
    for seed in range(20):
        ready = ReadyJobs(jobs, order=Order.RANDOM, seed=seed)
        number = ready.take(LANE, 0)
        assert number is not None
        ready.give_back(number)
        ready.leave(LANE, 0)
        assert ready.take(LANE, 1) == number


def test_a_new_session_goes_to_the_suite_with_the_fewest_sessions(make_job: Callable[..., Job]) -> None:
    jobs = [make_job(f"b:s:{suite}/{n}") for suite in "abc" for n in range(5)]
    for seed in range(10):
        ready = ReadyJobs(jobs, order=Order.RANDOM, seed=seed)
        suites = {jobs[ready.take(LANE, seat) or 0].suite for seat in range(3)}
        assert suites == {"a/", "b/", "c/"}


def test_lanes_are_apart(make_job: Callable[..., Job]) -> None:
    jobs = [make_job("b:s:x/1"), make_job("b:t:x/1"), make_job("c:s:x/1"), make_job("b:s:x/2")]
    ready = ReadyJobs(jobs, order=Order.RANDOM, seed=1)
    assert ready.take_all(LANE) == [0, 3]
    assert ready.take(LANE, 0) is None
    assert ready.take(Lane("b", "t"), 0) == 1


@pytest.mark.parametrize("suites", [1, 100, 10_000])
def test_ten_thousand_jobs_are_handed_out_once_each(suites: int) -> None:
    jobs = [Job(f"b:s:{n % suites}/t{n}", "b", "s", f"{n % suites}/", f"{n % suites}/t{n}") for n in range(10_000)]
    random.Random(5).shuffle(jobs)
    ready = ReadyJobs(jobs, order=Order.RANDOM, seed=11)
    last = dict.fromkeys(range(4), "")
    taken = []
    for pick in range(len(jobs)):
        number = ready.take(LANE, pick % 4, suite=last[pick % 4])
        assert number is not None
        last[pick % 4] = jobs[number].suite
        taken.append(number)
    assert sorted(taken) == list(range(len(jobs)))
