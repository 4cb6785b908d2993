"""The queue hands out what a plain sort would."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outspread.controller.farm.owner_shares import OwnerShares
from outspread.controller.farm.ready_queue import Lane, ReadyJob, ReadyQueue, blocks_of, lane_of, serves

ANY = Lane()
KVM = Lane((("kvm", "yes"),))
JOB = st.tuples(st.sampled_from([ANY, KVM]), st.integers(-1, 1), st.sampled_from([0.0, 1.0, 2.5]))


def drained(queue: ReadyQueue, *lanes: Lane, worker: str = "w") -> Iterator[ReadyJob]:
    while (job := queue.take(lanes, worker)) is not None:
        yield job


@given(st.lists(JOB, max_size=30), st.lists(JOB, max_size=10))
def test_of_one_owner_priority_then_longest_then_submission(first: list[tuple], second: list[tuple]) -> None:  # type: ignore[type-arg]
    queue = ReadyQueue(OwnerShares())
    everything = []
    for run, jobs in enumerate((first, second)):
        queue.add_run(run, "me", blocks_of(run, [(number, *job) for number, job in enumerate(jobs)]))
        everything += [(-priority, -expected_s, run, number) for number, (_, priority, expected_s) in enumerate(jobs)]
    got = list(drained(queue, ANY, KVM))
    assert got == [ReadyJob(run, number) for _, _, run, number in sorted(everything)]
    assert queue.lanes() == []


@given(st.lists(JOB, max_size=20))
def test_only_offered_lanes_are_touched(jobs: list[tuple]) -> None:  # type: ignore[type-arg]
    queue = ReadyQueue(OwnerShares())
    queue.add_run(0, "me", blocks_of(0, [(number, *job) for number, job in enumerate(jobs)]))
    assert {number for _, number in drained(queue, ANY)} == {number for number, job in enumerate(jobs) if job[0] == ANY}
    assert queue.waiting(KVM) == sum(job[0] != ANY for job in jobs)


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=20), st.data())
def test_a_run_that_is_removed_leaves_nothing(owners: list[str], data: st.DataObject) -> None:
    queue = ReadyQueue(OwnerShares())
    for run, owner in enumerate(owners):
        queue.add_run(run, owner, blocks_of(run, [(number, ANY, 0, 1.0) for number in range(3)]))
    job = queue.take([ANY], "w")
    assert job is not None
    queue.put_back(job, ANY, 0, 1.0, "w")
    removed = data.draw(st.sets(st.integers(0, len(owners) - 1)))
    for run in removed:
        queue.remove_run(run)
        queue.remove_run(run)
    left = list(drained(queue, ANY))
    assert sorted(left) == sorted(
        ReadyJob(run, number) for run in range(len(owners)) if run not in removed for number in range(3)
    )


def test_a_next_job_that_is_not_wanted_stays() -> None:
    queue = ReadyQueue(OwnerShares())
    queue.add_run(0, "me", blocks_of(0, [(0, ANY, 0, 9.0), (1, ANY, 0, 1.0)]))
    assert queue.take([ANY], "w", wanted=lambda job: job.number == 1) is None
    assert list(drained(queue, ANY)) == [ReadyJob(0, 0), ReadyJob(0, 1)]


def test_a_retry_goes_first_but_to_another_worker() -> None:
    queue = ReadyQueue(OwnerShares())
    queue.add_run(0, "me", blocks_of(0, [(0, ANY, 0, 1.0), (1, ANY, 0, 9.0)]))
    assert queue.take([ANY], "ann") == ReadyJob(0, 1)
    queue.put_back(ReadyJob(0, 1), ANY, 0, 9.0, "ann")
    assert queue.take([ANY], "ann") == ReadyJob(0, 0)
    assert queue.take([ANY], "ann", reluctantly=False) is None
    assert queue.take([ANY], "bob", reluctantly=False) == ReadyJob(0, 1)


def test_how_much_is_ahead() -> None:
    queue = ReadyQueue(OwnerShares())
    queue.add_run(0, "me", blocks_of(0, [(0, ANY, 0, 1.0), (1, ANY, 0, 9.0), (2, ANY, 5, 3.0)]))
    queue.add_run(1, "you", blocks_of(1, [(0, ANY, 0, 1.0)]))
    assert queue.ahead(ReadyJob(0, 2), ANY, 5, 3.0) == (0, 0.0)
    assert queue.ahead(ReadyJob(0, 1), ANY, 0, 9.0) == (1, 3.0)
    assert queue.ahead(ReadyJob(0, 0), ANY, 0, 1.0)[0] == 3


@given(st.lists(JOB, min_size=1, max_size=20), st.lists(JOB, max_size=10), st.integers(0, 5), st.booleans())
def test_of_one_owner_what_is_ahead_is_what_goes_first(
    first: list[tuple],  # type: ignore[type-arg]
    second: list[tuple],  # type: ignore[type-arg]
    taken: int,
    tries_one_again: bool,
) -> None:
    first, second = ([(ANY, *rest) for _, *rest in jobs] for jobs in (first, second))
    queue = ReadyQueue(OwnerShares())
    for run, jobs in enumerate((first, second)):
        queue.add_run(run, "me", blocks_of(run, [(number, *job) for number, job in enumerate(jobs)]))
    got = [job for _ in range(taken) if (job := queue.take([ANY], "w")) is not None]
    if got and tries_one_again:
        _, priority, expected_s = (first, second)[got[0].run][got[0].number]
        queue.put_back(got[0], ANY, priority, expected_s, "")
    waiting = [(run, number) for run, jobs in enumerate((first, second)) for number in range(len(jobs))]
    told = {
        ReadyJob(run, number): queue.ahead(ReadyJob(run, number), *(first, second)[run][number])
        for run, number in waiting
        if ReadyJob(run, number) not in got
    }
    passed_s = 0.0
    for place, job in enumerate(drained(queue, ANY)):
        if job in told and not (got and tries_one_again):
            assert told[job] == (place, passed_s)
        elif job in told:
            assert told[job][0] in {place, place - 1}  # a retry goes before what is longer
        passed_s += (first, second)[job.run][job.number][2]


@pytest.mark.parametrize(
    ("dimensions", "served"),
    [({}, False), ({"a": "1"}, False), ({"a": "1", "b": "2", "c": "3"}, True), ({"a": "1", "b": "3"}, False)],
)
def test_what_a_worker_serves(dimensions: dict[str, str], served: bool) -> None:
    assert serves(dimensions, lane_of({"b": "2", "a": "1"})) is served
    assert serves(dimensions, ANY)


def test_absence_earns_no_share() -> None:
    shares = OwnerShares()
    shares.wait("eve")
    shares.serve("eve", 100)
    shares.wait("bob")
    assert shares.served_s("bob") == 100
    shares.leave("eve")
    shares.leave("bob")
    shares.serve("bob", 50)
    shares.wait("new")
    assert shares.served_s("new") == 100
    shares.serve("bob", -500)
    assert shares.served_s("bob") == 0
