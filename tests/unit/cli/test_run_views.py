"""A run of command jobs as people and programs are shown it."""

import io
import json

from msgspec.structs import replace
from rich.console import Console

from outspread.cli.json_run_view import JsonRunView
from outspread.cli.live_run_view import LiveRunView, run_frame
from outspread.cli.run_views import PlainRunView
from outspread.controller.command_values import CommandAttempt, CommandRunStatus, JobCounts
from outspread.controller.values import Outcome

GOING = CommandRunStatus("r1", "", "me", "p", "running", JobCounts(total=4, queued=3, failed=1), submitted_at=100.0)
OVER = replace(GOING, state="done", counts=JobCounts(total=4, passed=3, failed=1), finished_at=110.0)
PASSED = CommandAttempt("r1.0.1", "good", 0, 1, "ann", Outcome.PASSED, run_s=1.0, decides=True)
FAILED = CommandAttempt("r1.1.1", "bad [red]", 1, 1, "ann", Outcome.FAILED, run_s=1.0, reason="exit code 1", decides=True)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_plain_lines_come_each_while_and_only_when_something_changed() -> None:
    out, clock = io.StringIO(), Clock()
    view = PlainRunView(out, clock=clock, every_s=10)
    view.stands(GOING)
    assert out.getvalue() == ""
    for clock.now in (105.0, 110.0, 125.0, 140.0):
        view.stands(GOING)
    view.stands(OVER)
    assert out.getvalue().splitlines() == ["10.0s 1/4 jobs complete (1 failed)", "40.0s 4/4 jobs complete (1 failed)"]


def test_plain_failures_come_at_once_and_are_summed_up() -> None:
    out = io.StringIO()
    view = PlainRunView(out, clock=Clock())
    view.ended(PASSED, b"")
    view.ended(FAILED, b"it broke\n")
    view.ended(replace(FAILED, outcome=Outcome.CANCELLED), b"")
    view.finish(OVER)
    assert out.getvalue().splitlines() == [
        "FAILED     bad [red]  1.0s on ann  exit code 1",
        "  | it broke",
        "",
        "run r1 done after 10s: 3 passed, 1 failed",
        "again: outspread rerun --failed r1",
    ]


def test_on_a_terminal_failures_stand_above_the_line_that_moves() -> None:
    out, clock = io.StringIO(), Clock()
    view = LiveRunView(Console(file=out, width=80, force_terminal=True, color_system=None), clock=clock)
    try:
        view.stands(GOING)
        clock.now = 110.0
        view.ended(FAILED, b"it broke\n")
    finally:
        view.close()
    view.finish(OVER)
    shown = out.getvalue()
    assert "FAILED     bad [red]  1.0s on ann  exit code 1" in shown
    assert "10.0s 1/4 jobs complete (1 failed)" in shown
    assert shown.rstrip().endswith("again: outspread rerun --failed r1")
    assert "\x1b[?25h" in shown  # the cursor is there again


def test_the_line_that_moves_says_how_long_it_will_take() -> None:
    console = Console(file=io.StringIO(), width=100)
    with console.capture() as capture:
        console.print(run_frame(JobCounts(total=4, queued=3, passed=1), since_s=10.0))
    assert capture.get().rstrip().endswith("10.0s 1/4 jobs complete  about 30s left")
    with console.capture() as capture:
        console.print(run_frame(JobCounts(total=4, queued=4), since_s=10.0))
    assert "left" not in capture.get()


def test_json_lines_are_whole_objects() -> None:
    out = io.StringIO()
    view = JsonRunView(out)
    view.submitted(GOING)
    view.stands(GOING)
    view.ended(FAILED, b"")
    view.finish(OVER)
    submitted, ended, over = map(json.loads, out.getvalue().splitlines())
    assert (submitted["event"], submitted["run_id"], submitted["state"]) == ("run-submitted", "r1", "running")
    assert (ended["event"], ended["job"], ended["outcome"]) == ("attempt-ended", "bad [red]", "failed")
    assert (over["event"], over["passed"], over["counts"]["failed"]) == ("run-ended", False, 1)
