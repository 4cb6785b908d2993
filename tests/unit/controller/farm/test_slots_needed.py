"""How many slots it takes to be done in time."""

import random

import pytest

from outspread.controller.farm import slots_needed
from outspread.controller.farm.slots_needed import Work


@pytest.mark.parametrize(
    ("durations", "within_s", "slots"),
    [
        ([], 10.0, 0),
        ([10.0], 10.0, 1),
        ([10.1], 10.0, None),
        ([5.0] * 8, 10.0, 4),
        ([5.0] * 9, 10.0, 5),
        ([6.0] * 8, 10.0, 8),
        ([9.0, 1.0, 5.0, 5.0], 10.0, 2),
        ([1.0] * 100, 1000.0, 1),
    ],
)
def test_the_fewest_that_are_enough(durations: list[float], within_s: float, slots: int | None) -> None:
    assert Work(durations).slots_for(within_s) == slots


def test_with_so_many_it_is_done_in_time_and_with_one_less_it_is_not() -> None:
    for seed in range(200):
        dice = random.Random(seed)
        durations = [dice.lognormvariate(0, 1.5) for _ in range(dice.randrange(1, 60))]
        within_s = max(durations) * dice.uniform(1.0, 3.0)
        work = Work(durations)
        slots = work.slots_for(within_s)
        assert slots is not None
        assert work.takes_s(slots) <= within_s, f"seed {seed}"
        assert slots == 1 or work.takes_s(slots - 1) > within_s, f"seed {seed}"
        assert slots * within_s >= sum(durations) * (1 - 1e-9)


def test_many_short_ones_fill_what_the_long_ones_leave(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slots_needed, "_PLACED", 3)
    work = Work([8.0, 7.0, 6.0] + [0.1] * 90)
    assert work.jobs == 93
    assert work.total_s == pytest.approx(30.0)
    assert work.takes_s(3) == pytest.approx(10.1)
    assert work.slots_for(10.2) == 3
    assert work.slots_for(10.0) == 4
