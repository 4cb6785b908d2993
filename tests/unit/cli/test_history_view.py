from typing import Any

import pytest
from msgspec import structs

from outspread.cli.history_view import history_lines, log_of, run_lines
from outspread.controller.values import AttemptRecord, MachineEntry, MachineState, Outcome, RunDetail, RunSummary
from outspread.errors import UserError

AT = 1_790_000_000.0
RUN = RunSummary("0123456789abcdef", "demo", "/src/demo", "ann", "done", AT, AT + 65, 77, 3, 1, 1, 1, 0)


def attempt(job: str, number: int, outcome: Outcome | None, **fields: Any) -> AttemptRecord:
    known: dict[str, Any] = {"verb": "execute", "level": "task", "reason": "", "log": "", "duration_s": 2.0} | fields
    return AttemptRecord(
        job=job, attempt=number, outcome=outcome, started_at=AT, machine="lab:debian-12", exit_code=None, signal=None, **known
    )


DETAIL = RunDetail(
    RUN,
    (
        attempt("a:b-1:t/good", 1, Outcome.PASSED),
        attempt("a:b-1:t/bad", 1, Outcome.INFRA, reason="connection lost"),
        attempt("a:b-1:t/bad", 2, Outcome.FAILED, reason="exit code 1", log="".join(f"line {n}\n" for n in range(50))),
        attempt("a:b-1:t/half", 1, None, duration_s=None, verb="", level=""),
    ),
    ("a:b-1:t/never",),
)


def test_runs_are_a_table() -> None:
    going = RunSummary("fedcba9876543210", "demo", "/src/demo", "ann", "running", AT, None, 0, 12, 0, 0, 0, 0)
    assert list(history_lines([RUN, going], with_roots=False)) == [
        "run           submitted         took   state    jobs  passed  failed  aborted  skipped  seed",
        "0123456789ab  2026-09-21 14:13  1m05s  done     3     1       1       1        0        77",
        "fedcba987654  2026-09-21 14:13         running  12    0       0       0        0",
    ]


def test_runs_of_all_projects_say_of_which() -> None:
    lines = list(history_lines([RUN], with_roots=True))
    assert lines[0].endswith("  project")
    assert lines[1].endswith("  /src/demo")


def test_a_run_shows_failures_first() -> None:
    lines = list(run_lines(DETAIL))
    assert lines[:12] == [
        "run 0123456789ab: demo in /src/demo, by ann, 2026-09-21 14:13, done",
        "3 jobs: 1 passed, 1 failed, 1 aborted; seed 77",
        "",
        "LOST a:b-1:t/bad on lab:debian-12 after 2.0s",
        "  task execute: connection lost",
        "",
        "FAILED a:b-1:t/bad (attempt 2) on lab:debian-12 after 2.0s",
        "  task execute: exit code 1",
        "  (10 lines above; all: outspread history 0123456789ab --log a:b-1:t/bad)",
        "  | line 10",
        "  | line 11",
        "  | line 12",
    ]
    assert lines[-6:] == [
        "",
        "unfinished a:b-1:t/half on lab:debian-12",
        "",
        "ok  2.0s  a:b-1:t/good",
        "",
        "never begun  a:b-1:t/never",
    ]


def test_what_is_left_of_its_machines_is_named() -> None:
    def machine(machine_id: str, state: MachineState, name: str, *, alive: bool = False) -> MachineEntry:
        return MachineEntry(machine_id, RUN.run_id, "/src/demo", "lab", "adhoc", "a-1", state, name, "h", "", AT, alive)

    left = (
        machine("m1", MachineState.KEPT, "lab:a-1 (h1)"),
        machine("m2", MachineState.DISCARDING, "lab:a-1 (h2)"),
        machine("m3", MachineState.REQUESTED, ""),
    )
    assert list(run_lines(structs.replace(DETAIL, machines=left)))[-5:] == [
        "",
        "kept  lab:a-1 (h1)",
        "left behind  lab:a-1 (h2)",
        "left behind  lab:a-1, which was asked for",
        "to give them back: outspread discard --run 0123456789ab",
    ]
    going = (machine("m1", MachineState.READY, "lab:a-1 (h1)", alive=True),)
    assert list(run_lines(structs.replace(DETAIL, machines=going))) == list(run_lines(DETAIL))


def test_the_log_wanted_is_that_of_the_last_attempt_or_of_a_given_one() -> None:
    assert log_of(DETAIL, "a:b-1:t/bad", None) is DETAIL.attempts[2]
    assert log_of(DETAIL, "a:b-1:t/bad", 1) is DETAIL.attempts[1]
    assert log_of(DETAIL, "a:b-1:t/bad", 3) is None
    assert log_of(DETAIL, "a:b-1:t/never", None) is None


@pytest.mark.parametrize("wanted", ["t/bad", "a:t/ba...", "b-1:t/bad"])
def test_a_job_may_be_named_by_a_filter(wanted: str) -> None:
    assert log_of(DETAIL, wanted, None) is DETAIL.attempts[2]


def test_a_filter_that_several_jobs_pass_says_which() -> None:
    with pytest.raises(UserError, match=r"cannot show the log of t/: 4 jobs match: a:b-1:t/good, a:b-1:t/bad, "):
        log_of(DETAIL, "t/", None)


def test_samples_are_told_apart_by_their_number() -> None:
    detail = RunDetail(RUN, tuple(attempt(f"a:b-1:t/x#{sample}", 1, Outcome.PASSED) for sample in (1, 2)), ())
    assert log_of(detail, "t/x#2", None) is detail.attempts[1]


def test_cancelled_jobs_are_counted_apart_from_those_aborted() -> None:
    detail = RunDetail(RUN, (attempt("a:b-1:t/x", 1, Outcome.CANCELLED, reason="interrupted"),), ())
    assert list(run_lines(detail))[1] == "3 jobs: 1 passed, 1 failed, 1 cancelled; seed 77"
