import io
from typing import Any

import pytest

from outspread.cli.end_report import NAMED, EndReport
from outspread.cli.github_actions import GithubActions, on_github_actions
from outspread.cli.plain_view import PlainView
from outspread.cli.tally import Tally
from outspread.cli.troubles import DETAILED, KEPT_LINES
from outspread.controller.values import AttemptFinished, Level, Outcome, Report, RunOptions, RunStarted, StepFinished, Verb

GOLDEN = """\
run run-1: 5 jobs of demo, seed 77
lab:debian-12 (d1): sending project: 120 of 200 MB (60%), 24 MB/s
+ echo fine
fine
lab:debian-12 (d1): executing lab:debian-12:tests/good is running late: Current output: / + sleep 400 / + sleep 500
lab:debian-12 (d1): executing lab:debian-12:tests/good is running late: Output unchanged.
[1/5] ok         lab:debian-12:tests/good  9.0s
FAILED lab:debian-12:tests/bad: execute failed: exit code 1
  on lab:debian-12 (d1)
  | + grep caf\ufffd menu
  | + false
  debug output:
  | disk full
  again: outspread run --seed 77 --sandbox lab:debian-12:tests/bad
shell after a failure of executing lab:debian-12:tests/bad on lab:debian-12 (d1); exit to go on
shell for lab:debian-12:tests/bad: exit code 3
[2/5] FAILED     lab:debian-12:tests/bad  1m02s  exit code 1
[3/5] skipped    lab:debian-12:tests/needless  not on Debian
[4/5] LOST       lab:debian-12:tests/lost  3.0s  connection lost
lab:debian-12: cannot discard lab:debian-12 (d1): gone
lab:debian-12 (10.0.0.2): kept at 10.0.0.2

FAILED lab:debian-12:tests/bad: execute failed: exit code 1
  on lab:debian-12 (d1)
  | + grep caf\ufffd menu
  | + false
  debug output:
  | disk full
  artifacts that are not there: log.txt
  again: outspread run --seed 77 --sandbox lab:debian-12:tests/bad

FAILED lab:debian-12:tests/bad: restore timed out: kill-timeout reached after 1m
  on lab:debian-12 (d1)
  | <kill-timeout reached>
  artifacts that are not there: log.txt
  again: outspread run --seed 77 --sandbox lab:debian-12:tests/bad

FAILED lab:debian-12:tests/lost: machine lost: connection lost
  on lab:debian-12 (d1)
  again: outspread run --seed 77 --sandbox lab:debian-12:tests/lost

NOT BEGUN: 1 job: connection lost (named by: outspread history run-1)

trouble: lab:debian-12: cannot discard lab:debian-12 (d1): gone
trouble: artifacts of lab:debian-12:tests/good that are not there: core

logs: outspread history run-1
5 jobs: 1 passed, 1 failed, 1 lost with their machine, 1 aborted, 1 skipped; 1 restore failed in 40s
"""


def shown(events: list[Report], *, verbosity: int = 0, github: GithubActions | None = None) -> str:
    out = io.StringIO()
    view = PlainView(out, EndReport(again=("--sandbox",), github=github), verbosity=verbosity)
    for event in events:
        view.feed(event)
    view.finish(Tally(RunOptions()))
    return out.getvalue()


def test_the_view_line_for_line(events: list[Report]) -> None:
    assert shown(events) == GOLDEN


def test_verbose_adds_what_happens_to_machines(events: list[Report]) -> None:
    more = [line for line in shown(events, verbosity=1).splitlines() if line not in GOLDEN.splitlines()]
    assert more == [
        "project packed: 2 KiB",
        "lab:debian-12: allocating",
        "lab:debian-12: quota reached",
        "lab:debian-12: allocating",
        "lab:debian-12: Waiting for lab:debian-12 to make SSH available...",
        "lab:debian-12 (d1): allocated",
        "lab:debian-12 (d1): connected at 10.0.0.1:22",
        "lab:debian-12 (d1): sending project",
        "lab:debian-12 (d1): rebooting for lab:debian-12:tests/good",
        "lab:debian-12 (d1): back from the reboot for lab:debian-12:tests/good",
        "lab:debian-12 (d1): discarding",
        "lab:debian-12 (10.0.0.2): using it again",
        "lab:debian-12 (10.0.0.2): using the project that is there",
        "session ended early: connection lost",
    ]


def test_very_verbose_adds_scripts_and_their_output(events: list[Report]) -> None:
    text = shown(events, verbosity=2)
    assert "lab:debian-12 (d1): executing lab:debian-12:tests/good\n" in text
    assert "lab:debian-12 (d1): output of executing lab:debian-12:tests/good:\n  | + true\n  | + echo fine\n  | fine\n" in text


def failures(count: int, output: str = "") -> list[Report]:
    def step(number: int) -> StepFinished:
        return StepFinished(
            1.0,
            Verb.EXECUTE,
            Level.TASK,
            f"a:b-1:t/{number}",
            "a:b-1",
            "",
            "a",
            "b-1",
            job=f"a:b-1:t/{number}",
            outcome=Outcome.FAILED,
            reason="exit code 1",
            output=output,
        )

    return [RunStarted(0.0, "run-1", 0, False, count, "demo"), *(step(number) for number in range(count))]


def test_a_long_trace_says_how_to_see_all_of_it() -> None:
    text = shown(failures(1, "".join(f"line {number}\n" for number in range(50))))
    assert "  (10 lines above; all: outspread history run-1 --log a:b-1:t/0)\n  | line 10\n" in text
    assert "line 9\n" not in text


def test_without_a_choice_there_is_no_seed_to_repeat() -> None:
    assert "again: outspread run --sandbox a:b-1:t/0\n" in shown(failures(1))


def test_many_failures_are_named_only() -> None:
    text = shown(failures(DETAILED + 3))
    assert text.count("again: ") == DETAILED
    assert "and 3 more failures:\n  FAILED a:b-1:t/20: execute failed: exit code 1\n" in text


def test_a_test_cannot_move_the_cursor_or_forge_a_line() -> None:
    text = shown(failures(1, "\x1b[2J\x1b[Hall passed\x07\n\x1b]0;x\x07[1/1] ok\n"))
    assert "\x1b" not in text
    assert "\n  | all passed\n  | [1/1] ok\n" in text


def test_github_gets_groups_and_annotations_that_tests_cannot_forge() -> None:
    text = shown(failures(1, "::error::forged\n100%\n"), github=GithubActions("secret"))
    assert text.splitlines()[2:12] == [
        "::group::FAILED a:b-1:t/0: execute failed: exit code 1",
        "::stop-commands::secret",
        "  on a:b-1",
        "  | ::error::forged",
        "  | 100%",
        "  again: outspread run --sandbox a:b-1:t/0",
        "::secret::",
        "::endgroup::",
        "::error title=a%3Ab-1%3At/0::execute failed: exit code 1",
        "",
    ]


@pytest.mark.parametrize(
    ("environment", "expected"), [({"GITHUB_ACTIONS": "true"}, True), ({"GITHUB_ACTIONS": "false"}, False), ({}, False)]
)
def test_github_is_known_by_its_variable(environment: dict[str, str], expected: bool) -> None:
    assert on_github_actions(environment) is expected


def ended(events: list[Report], **how: Any) -> str:
    report = EndReport(**how)
    for event in events:
        report.feed(event)
    return "\n".join(report.lines())


def test_without_a_record_the_report_has_the_whole_trace_and_points_nowhere() -> None:
    output = "".join(f"line {number}\n" for number in range(500))
    text = ended(failures(DETAILED + NAMED + 1, output), is_recorded=lambda: False)
    assert "  | line 0\n" in text
    assert "... and 1 more\n" in text
    assert "outspread history" not in text


def test_without_a_record_a_trace_is_bounded_still() -> None:
    text = ended(failures(1, "".join(f"line {number}\n" for number in range(5000))), is_recorded=lambda: False)
    assert text.count("  | ") == KEPT_LINES
    assert "  (3000 lines above)\n" in text


def test_jobs_that_were_only_restored_did_not_pass() -> None:
    done = AttemptFinished(2.0, "s", 1, "a:b-1:t/0", 1, Outcome.PASSED, 1.0)
    assert ended([RunStarted(0.0, "r", 0, False, 1, "demo"), done], restoring=True).endswith("1 job: 1 restored in 2.0s")
