import pytest

from outspread.project.model import NEVER_S, Backend, Job, Project, Suite, System, Task, Timeouts
from outspread.project.timeouts import local_timeouts_for, timeouts_for

UNSET = Timeouts()
JOB = Job("b:s-1:t/a:v#1", "b", "s-1", "t/", "t/a", "v", 1, 2)


def project(project: Timeouts = UNSET, backend: Timeouts = UNSET, suite: Timeouts = UNSET, task: Timeouts = UNSET) -> Project:
    return Project(
        name="exp",
        root="/r",
        file="/r/spread.yaml",
        path="/p",
        timeouts=project,
        backends={"b": Backend("b", "lxd", {"s-1": System("s-1", "b")}, timeouts=backend)},
        suites={"t/": Suite("t/", "s", {"t/a": Task("t/a", "t/", "s", timeouts=task)}, timeouts=suite)},
    )


def test_defaults_and_the_second_between_warning_and_kill() -> None:
    assert timeouts_for(project(), JOB, "task") == (300, 899)


def test_each_level_asks_itself_and_those_above() -> None:
    some = project(Timeouts(1, 10.5), Timeouts(2, 20.5), Timeouts(3, 30.5), Timeouts(4, 40.5))
    assert [timeouts_for(some, JOB, level) for level in ("task", "suite", "backend", "project")] == [
        (4, 40.5),
        (3, 30.5),
        (2, 20.5),
        (1, 10.5),
    ]


def test_what_is_not_set_comes_from_above() -> None:
    some = project(project=Timeouts(kill_s=70), suite=Timeouts(warn_s=30))
    assert timeouts_for(some, JOB, "task") == (30, 70)
    assert timeouts_for(some, JOB, "backend") == (300, 70)


@pytest.mark.parametrize(
    ("warn_s", "kill_s", "expected"),
    [(60, 120, 119), (60, 60, 59), (60, 61, 61), (60, 30, 30), (60, NEVER_S, NEVER_S - 1), (0.5, 0.5, 0.5), (0.25, 1, 1)],
)
def test_exact_multiples_are_shortened(warn_s: float, kill_s: float, expected: float) -> None:
    assert timeouts_for(project(task=Timeouts(warn_s, kill_s)), JOB, "task") == (warn_s, expected)


def test_scripts_on_this_host() -> None:
    some = project(Timeouts(1, 10), Timeouts(kill_s=20))
    assert local_timeouts_for(some, "b") == (1, 20)
    assert local_timeouts_for(some) == (1, 10)
