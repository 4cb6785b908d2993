"""Machines of failed jobs, held for people: looked at, given back by them or when the time is over."""

import os
import re
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

MakeLab = Callable[[int], Any]


def test_a_failed_jobs_machine_is_held_as_it_is_and_the_others_go_on(lab: MakeLab) -> None:
    one = lab(2)
    one.write(workers=1)
    one.project.file(
        "tests/bad/task.yaml",
        "summary: bad\npriority: 1\nexecute: |\n  echo evidence > /tmp/evidence\n  false\nrestore: rm /tmp/evidence\n",
    )
    one.project.task("good", "execute: '[ ! -e /tmp/evidence ]'\n")
    run = one.project.run("outspread", "run", "--keep-failed", "1h")
    assert run.code == 1
    assert "1 failed" in run.out
    assert "1 passed" in run.out, run.out  # on another machine
    held = one.hosts[0].spread_address
    assert one.taken() == [held]
    assert f"lab:debian-12 ({held}): held at {held} until " in run.out

    (machine,) = one.project.machines()
    assert (machine["use"], machine["address"]) == ("held", held)
    assert machine["owner"] != ""
    assert machine["hold_reason"].startswith("lab:debian-12:tests/bad: execute of the task failed")
    assert 3500 < machine["held_until"] - time.time() < 3600
    table = one.project.run("outspread", "machines").out
    assert re.search(r"\((59m|1h00m)", table)
    assert "for lab:debian-12:tests/bad" in table

    person = one.project.on_terminal("outspread", "shell", "--machine", machine["machine_id"][:8])
    person.prompted()
    person.types("cat /tmp/evidence; pwd; echo $SPREAD_SYSTEM; exit 7\n")
    assert "evidence\r\n/srv/made\r\ndebian-12" in person.sees("debian-12\r\n")
    assert person.ends() == 7
    assert one.taken() == [held]

    # it is no orphan, and the next run does not use it
    assert one.project.run("outspread", "discard", "--orphans").err == "nothing to discard\n"
    given_back = one.project.run("outspread", "discard", "--machine", held)
    assert (given_back.code, given_back.out) == (0, f"lab:debian-12 ({held}): given back\n")
    assert one.taken() == one.notes() == []
    assert one.project.machines() == []


def test_every_seat_holds_one_machine_at_most(lab: MakeLab) -> None:
    one = lab(3)
    one.write(workers=1)
    for name in ("a", "b", "c"):
        one.project.task(name, "execute: 'false'\n")
    run = one.project.run("outspread", "run", "--keep-failed", "1h")
    assert "3 failed" in run.out
    assert len(one.taken()) == 1
    assert one.project.run("outspread", "discard", "--machine", one.taken()[0]).code == 0


@pytest.mark.parametrize("level", ["project", "suite"])
def test_a_failing_prepare_holds_the_machine_too(lab: MakeLab, level: str) -> None:
    one = lab(1)
    text = (one.project.root / "spread.yaml").read_text()
    where = text.replace("suites:\n", "prepare: exit 4\nsuites:\n") if level == "project" else f"{text}        prepare: exit 4\n"
    one.project.file("spread.yaml", where)
    one.project.task("never", "execute: 'true'\n")
    run = one.project.run("outspread", "run", "--keep-failed", "90s", "--abend")
    assert run.code == 1
    (machine,) = one.project.machines()
    assert f"prepare of the {level} failed: exit code 4" in machine["hold_reason"]
    assert one.project.run("outspread", "discard", "--machine", machine["address"]).code == 0


def test_when_the_time_is_over_machines_are_given_back_by_nobodys_hand(lab: MakeLab) -> None:
    one = lab(1)
    one.project.task("bad", "execute: 'false'\n")
    run = one.project.run("outspread", "run", "--keep-failed", "2s")
    assert run.code == 1
    assert len(one.taken()) == 1
    deadline = time.monotonic() + 20
    while one.taken() or one.notes() or keepers():
        assert time.monotonic() < deadline, (one.taken(), one.notes(), keepers())
        time.sleep(0.1)
    assert one.project.machines() == []


def keepers() -> list[bytes]:
    """Return the command lines of processes that look after held machines of tests."""
    found = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line, state = process.read_bytes(), (process.parent / "environ").read_bytes()
        except OSError:
            continue
        if b"hold_keeper" in line and os.fsencode(os.environ["PYTEST_CURRENT_TEST"].split("::")[-1].split(" ")[0]) in state:
            found.append(line)
    return found


def test_a_hold_that_is_over_is_found_when_its_keeper_was_killed(lab: MakeLab) -> None:
    one = lab(1)
    one.project.task("bad", "execute: 'false'\n")
    one.project.run("outspread", "run", "--keep-failed", "1h")
    (machine,) = one.project.machines()
    with sqlite3.connect(next(one.project.state.rglob("*.db"))) as database:
        database.execute("UPDATE machines SET held_until_us = 1")
    database.close()
    assert [line["use"] for line in one.project.machines()] == ["left behind"]
    expired = one.project.run("outspread", "discard", "--orphans")
    assert (expired.code, expired.out) == (0, f"lab:debian-12 ({machine['address']}): given back\n")
    assert one.taken() == []


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--keep-failed", "soon"], "'soon' is no span of time"),
        (["--keep-failed", "0s"], "'0s' is no span of time"),
        (["--keep-failed", "1h", "--reuse"], "use only one of --keep-failed and --reuse"),
    ],
)
def test_what_makes_no_sense_is_refused(lab: MakeLab, arguments: list[str], complaint: str) -> None:
    one = lab(0)
    one.project.task("any", "execute: 'true'\n")
    refused = one.project.run("outspread", "run", *arguments)
    assert refused.code == 2
    assert complaint in refused.err


def test_machines_that_end_with_the_run_cannot_be_held(project: Any) -> None:
    project.task("bad", "execute: 'false'\n")
    refused = project.run("outspread", "run", "--keep-failed", "1h")
    assert refused.code == 1
    assert "leave out --keep-failed" in refused.err
