import io
import re

import pytest
from rich.console import Console

from outspread.cli.choose_view import is_lively
from outspread.cli.end_report import EndReport
from outspread.cli.live_view import LiveView, Progress, Row, live_frame
from outspread.cli.tally import Tally
from outspread.controller.values import Report, RunOptions, RunStarted


def frame(progress: Progress, rows: list[Row], *, now: float = 100.0, width: int = 70, height: int = 20) -> list[str]:
    out = io.StringIO()
    console = Console(file=out, width=width, height=height, color_system=None, force_terminal=True, legacy_windows=False)
    console.print(live_frame(progress, rows, now, console.size))
    return [line.rstrip() for line in out.getvalue().splitlines()]


def test_a_row_for_each_session_over_the_progress() -> None:
    rows = [Row("lab:debian-12 (d1)", "executing tests/[one]", 90.0), Row("lab:debian-13 (d2)", "allocating", 40.0)]
    lines = frame(Progress(total=10, passed=3, failed=1, others=1, began_at=50.0), rows, width=90)
    assert re.fullmatch(r"lab:debian-12 \(d1\) +executing tests/\[one\] +10s", lines[0])
    assert re.fullmatch(r"lab:debian-13 \(d2\) +allocating +1m00s", lines[1])
    assert lines[2].endswith("5/10  3 passed  1 failed  1 other  50s, about 50s left")


@pytest.mark.parametrize("width", [20, 40, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    rows = [Row("a-backend-with-a-long-name:some-system-22.04 (instance-0001)", "executing " + "x" * 300, 0.0)]
    lines = frame(Progress(total=1000, passed=500, began_at=1.0), rows, width=width)
    assert max(map(len, lines)) <= width


def test_no_more_rows_than_the_terminal_has() -> None:
    rows = [Row(f"lab:debian-12 (d{number})", "allocating", 0.0) for number in range(100)]
    lines = frame(Progress(total=100), rows, height=10)
    assert len(lines) <= 9
    assert "and 94 more" in lines[6]


@pytest.mark.parametrize(
    ("progress", "left_s"),
    [(Progress(total=4, passed=1, began_at=90.0), 30.0), (Progress(total=4), None), (Progress(4, 4), None)],
)
def test_what_is_left(progress: Progress, left_s: float | None) -> None:
    assert progress.left_s(100.0) == left_s


def test_failures_are_printed_above_and_the_report_at_the_end(events: list[Report]) -> None:
    out = io.StringIO()
    console = Console(
        file=out, width=100, height=20, color_system=None, force_terminal=True, legacy_windows=False, highlight=False
    )
    view = LiveView(console, EndReport(), clock=lambda: 1_790_000_040.0)
    for event in events:
        view.feed(event)
    view.finish(Tally(RunOptions()))
    text = out.getvalue()
    assert "FAILED     lab:debian-12:tests/bad  1m02s  exit code 1\n" in text
    assert "ok         lab:debian-12:tests/good" not in text
    assert text.rstrip().endswith(
        "5 jobs: 1 passed, 1 failed, 1 lost with their machine, 1 aborted, 1 skipped; 1 restore failed in 40s"
    )
    assert "\x1b[31m" not in text
    assert "0/0" not in text
    assert text.count("\x1b[?25l") == text.count("\x1b[?25h") == 2  # the cursor is given back, before the shell and at the end


def test_rows_follow_what_machines_do(events: list[Report]) -> None:
    console = Console(file=io.StringIO(), width=100, force_terminal=True, legacy_windows=False)
    view = LiveView(console, EndReport())
    seen: list[tuple[str, str]] = []
    for event in events:
        if not isinstance(event, RunStarted):  # no display, only its state
            view.feed(event)
        seen += [(row.machine, row.doing) for row in view.rows() if (row.machine, row.doing) not in seen]
    assert seen == [
        ("lab:debian-12", "allocating"),
        ("lab:debian-12 (d1)", "connecting"),
        ("lab:debian-12 (d1)", "sending project"),
        ("lab:debian-12 (d1)", "sending project: 120 of 200 MB (60%), 24 MB/s"),
        ("lab:debian-12 (d1)", "preparing system"),
        ("lab:debian-12 (d1)", "executing tests/good"),
        ("lab:debian-12 (d1)", "rebooting"),
        ("lab:debian-12 (d1)", "executing tests/bad"),
        ("lab:debian-12 (d1)", "finding out why tests/bad failed"),
        ("lab:debian-12 (d1)", "restoring tests/bad"),
        ("lab:debian-12 (d1)", "checking tests/needless"),
        ("lab:debian-12 (d1)", "preparing tests/lost"),
        ("lab:debian-12 (d1)", "discarding"),
        ("lab:debian-12 (10.0.0.2)", "connecting"),
    ]
    assert view.rows() == []


@pytest.mark.parametrize(
    ("environment", "terminal", "lively"),
    [
        ({"TERM": "xterm"}, True, True),
        ({"TERM": "xterm"}, False, False),
        ({"TERM": "dumb"}, True, False),
        ({}, True, False),
        ({"TERM": "xterm", "NO_COLOR": "1"}, True, True),
    ],
)
def test_where_a_live_display_is_welcome(environment: dict[str, str], terminal: bool, lively: bool) -> None:
    assert is_lively(environment, terminal=terminal) is lively
