import io

import pytest

from outspread.cli.spread_log import SpreadLog
from outspread.controller.values import Level, MachineFailed, MachineRequested, Outcome, Report, RunStarted, StepFinished, Verb

SPACE = " "  # what Spread puts before a line break, too

GOLDEN = f"""\
2026-09-21 14:13:20 Project content is packed for delivery (2.00KB).
2026-09-21 14:13:21 Sequence of jobs produced with -seed=77
2026-09-21 14:13:22 Allocating lab:debian-12...
2026-09-21 14:13:23 Cannot allocate lab:debian-12: quota reached
2026-09-21 14:13:25 Waiting for lab:debian-12 to make SSH available...
2026-09-21 14:13:26 Allocated lab:debian-12 (d1).
2026-09-21 14:13:27 Connected to lab:debian-12 (d1) at 10.0.0.1:22.
2026-09-21 14:13:28 Sending project content to lab:debian-12 (d1)...
2026-09-21 14:13:30 Preparing lab:debian-12 (d1)...
2026-09-21 14:13:32 Executing lab:debian-12:tests/good (d1) (1/5)...
+ echo \x1b[1mfine\x1b[0m
fine
2026-09-21 14:13:33 WARNING: lab:debian-12 (d1) (lab:debian-12:tests/good) running late. Current output:
-----
+ sleep 400
+ sleep 500
-----
.
2026-09-21 14:13:34 Rebooting on lab:debian-12 (d1) (lab:debian-12:tests/good) as requested...
2026-09-21 14:13:35 WARNING: lab:debian-12 (d1) (lab:debian-12:tests/good) running late. Output unchanged.
2026-09-21 14:13:35 Connected after reboot to lab:debian-12 (d1) (lab:debian-12:tests/good)
2026-09-21 14:13:37 Fetching artifacts of lab:debian-12:tests/good...
2026-09-21 14:13:38 Artifacts of lab:debian-12:tests/good that are not there: core
2026-09-21 14:13:41 Executing lab:debian-12:tests/bad (d1) (2/5)...
2026-09-21 14:13:42 Error executing lab:debian-12:tests/bad (d1) :{SPACE}
-----
+ \x1b[31mgrep\x1b[0m caf\udce9 menu
+ false
-----
.
2026-09-21 14:13:43 Debug output for lab:debian-12:tests/bad (d1) : disk full
2026-09-21 14:13:43 Starting shell to debug...
2026-09-21 14:13:43 Error running debug shell: exit code 3
2026-09-21 14:13:43 Continuing...
2026-09-21 14:13:44 Fetching artifacts of lab:debian-12:tests/bad...
2026-09-21 14:13:45 Artifacts of lab:debian-12:tests/bad that are not there: log.txt
2026-09-21 14:13:46 Restoring lab:debian-12:tests/bad (d1)...
2026-09-21 14:13:47 Error restoring lab:debian-12:tests/bad (d1) : <kill-timeout reached>
2026-09-21 14:13:50 Checking lab:debian-12:tests/needless (d1)...
2026-09-21 14:13:52 Skipping lab:debian-12:tests/needless (d1)...
2026-09-21 14:13:54 Preparing lab:debian-12:tests/lost (d1)...
2026-09-21 14:13:55 Error preparing lab:debian-12:tests/lost (d1) : connection lost
2026-09-21 14:13:56 Discarding lab:debian-12 (d1)...
2026-09-21 14:13:57 Machine of lab:debian-12 failed: cannot discard lab:debian-12 (d1): gone
2026-09-21 14:14:02 Reusing lab:debian-12...
2026-09-21 14:14:02 Reusing project data on lab:debian-12...
2026-09-21 14:14:02 Keeping lab:debian-12 at 10.0.0.2
"""


def logged(events: list[Report], **options: object) -> str:
    out = io.StringIO()
    log = SpreadLog(out, **options)  # type: ignore[arg-type]
    for event in events:
        log.feed(event)
    return out.getvalue()


def test_the_log_line_for_line(events: list[Report]) -> None:
    assert logged(events) == GOLDEN


def test_bytes_that_are_no_text_pass_through(events: list[Report]) -> None:
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding="utf-8", errors="surrogateescape")
    log = SpreadLog(out)
    for event in events:
        log.feed(event)
    assert b"caf\xe9 menu" in raw.getvalue()


def test_verbose_says_more(events: list[Report]) -> None:
    more = set(logged(events, verbosity=1).splitlines()) - set(GOLDEN.splitlines())
    assert more == {
        "2026-09-21 14:13:28 Sent 120 of 200 MB (60%), 24 MB/s to lab:debian-12 (d1).",
        "2026-09-21 14:13:59 Worker ended early: connection lost",
    }


def test_very_verbose_shows_the_output_of_scripts_that_passed(events: list[Report]) -> None:
    assert (
        "2026-09-21 14:13:36 Output of executing lab:debian-12:tests/good (d1) : \n-----\n+ true\n+ echo fine\nfine\n-----\n.\n"
        in logged(events, verbosity=2)
    )


def test_travis_gets_its_marks(events: list[Report]) -> None:
    lines = logged(events, travis=True).splitlines()
    start = lines.index("2026-09-21 14:13:41 Executing lab:debian-12:tests/bad (d1) (2/5)...")
    script, error = f"{1_790_000_021_000_000_000:x}", lines[start + 2].rpartition(":")[2]
    began = int(error, 16)
    assert lines[start - 1 : start + 12] == [
        f"travis_time:start:{script}",
        "2026-09-21 14:13:41 Executing lab:debian-12:tests/bad (d1) (2/5)...",
        f"travis_time:end:{script}:start=1790000021000000000,finish=1790000022000000000,duration=1000000000",
        f"travis_fold:start:{error}",
        f"travis_time:start:{error}",
        "2026-09-21 14:13:42 Error executing lab:debian-12:tests/bad (d1) : ",
        "-----",
        "+ \x1b[31mgrep\x1b[0m caf\udce9 menu",
        "+ false",
        "-----",
        f"travis_time:end:{error}:start={began},finish=1790000022000000000,duration={1790000022000000000 - began}",
        f"travis_fold:end:{error}",
        ".",
    ]
    assert error != script


@pytest.mark.parametrize(("matters", "announce", "says"), [(True, True, True), (False, True, False), (True, False, False)])
def test_the_seed_is_announced_when_it_was_chosen_and_matters(matters: bool, announce: bool, says: bool) -> None:
    started = RunStarted(0.0, "run-1", 5, matters, 2, "demo")
    assert logged([started], announce_seed=announce) == (
        "1970-01-01 00:00:00 Sequence of jobs produced with -seed=5\n" if says else ""
    )


def failure(reason: str, output: str, *, error_text: bool = False) -> StepFinished:
    return StepFinished(
        0.0,
        Verb.EXECUTE,
        Level.TASK,
        "lab:debian-12:tests/bad",
        "lab:debian-12",
        "",
        "lab",
        "debian-12",
        outcome=Outcome.FAILED,
        reason=reason,
        error_text=error_text,
        output=output,
    )


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (failure("exit code 1", "+ false\n"), "+ false"),
        (failure("exit code 1", " \n"), "exit code 1"),
        (failure("no network here", "+ ERROR no network here\n<ERROR no network here>\n", error_text=True), "no network here"),
        (failure("", "<ERROR>\n", error_text=True), ""),
    ],
)
def test_what_an_error_says(event: StepFinished, text: str) -> None:
    expected = f"1970-01-01 00:00:00 Error executing lab:debian-12:tests/bad (lab:debian-12) : {text}".rstrip()
    assert logged([event]) == f"{expected}\n"


def test_trouble_with_allocating_is_repeated_each_fifteen_seconds_only() -> None:
    events: list[Report] = []
    for at in range(0, 40, 5):
        events.append(MachineRequested(at, f"m{at}", "lab", "debian-12", "run-1"))
        events.append(MachineFailed(at, f"m{at}", "lab", "debian-12", "quota reached", at == 35))
    assert logged(events).splitlines() == [
        "1970-01-01 00:00:00 Allocating lab:debian-12...",
        "1970-01-01 00:00:00 Cannot allocate lab:debian-12: quota reached",
        "1970-01-01 00:00:15 Cannot allocate lab:debian-12: quota reached",
        "1970-01-01 00:00:30 Cannot allocate lab:debian-12: quota reached",
        "1970-01-01 00:00:35 Cannot allocate lab:debian-12: quota reached",
    ]
