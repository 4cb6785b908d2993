from collections.abc import Callable

import pytest

from outspread.controller.expected_durations import duration_key, expected, smoothed
from outspread.project.model import Job


def test_samples_of_a_task_share_a_key(make_job: Callable[..., Job]) -> None:
    assert duration_key(make_job("b:s:x/t:v#2", samples=3)) == "b:s:x/t:v"
    assert duration_key(make_job("b:s:x/t:v")) == "b:s:x/t:v"


def test_the_newest_counts_three_tenths() -> None:
    assert smoothed(10.0, 20.0) == pytest.approx(13.0)


def test_unknown_jobs_are_put_at_the_75th_percentile(make_job: Callable[..., Job]) -> None:
    jobs = [make_job(f"b:s:x/{name}") for name in ("a", "b", "c", "d", "new")]
    known = {"b:s:x/a": 4.0, "b:s:x/b": 1.0, "b:s:x/c": 2.0, "b:s:x/d": 3.0, "b:s:x/other": 100.0}
    assert expected(jobs, known) == [4.0, 1.0, 2.0, 3.0, 3.0]


def test_without_any_history_all_are_alike(make_job: Callable[..., Job]) -> None:
    assert expected([make_job("b:s:x/a"), make_job("b:s:x/b")], {}) == [0.0, 0.0]
