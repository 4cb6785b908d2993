import pytest

from outspread.controller.retention import DAYS_KEPT, RUNS_KEPT, KeptRun, outdated

DAY_US = 24 * 3600 * 1_000_000
NOW_US = 1_000 * DAY_US


def runs(count: int, *, days_apart: int) -> list[KeptRun]:
    return [KeptRun(count - place, f"r{place}", NOW_US - place * days_apart * DAY_US) for place in range(count)]


@pytest.mark.parametrize(("count", "days_apart"), [(RUNS_KEPT, DAYS_KEPT), (RUNS_KEPT + 50, 0)])
def test_new_ones_and_the_newest_stay(count: int, days_apart: int) -> None:
    assert outdated(runs(count, days_apart=days_apart), now_us=NOW_US) == []


def test_old_ones_beyond_the_newest_go_the_oldest_first_and_a_few_at_once() -> None:
    kept = runs(RUNS_KEPT + 3, days_apart=1)
    assert outdated(kept, now_us=NOW_US) == kept[:-4:-1]
    assert len(outdated(runs(RUNS_KEPT + 500, days_apart=1), now_us=NOW_US)) < 50
