"""Whole runs on machines that scripts get, over real SSH."""

import json
import re
import shutil
import signal
import socket
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

EXAMPLE = Path(__file__).parents[3] / "examples/hello"

MakeLab = Callable[[int], Any]


def wait_for(condition: Callable[[], object], *, within_s: float = 20) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "the condition never held"
        time.sleep(0.02)


def events_of(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_spreads_log_line_for_line(lab: MakeLab) -> None:
    one = lab(1)
    one.project.task("good", "prepare: echo ready\nexecute: pwd; MATCH made < ../../spread.yaml\nrestore: 'true'\n")
    ended = one.project.run("spread")
    assert (ended.code, ended.err) == (0, "")
    address = one.hosts[0].spread_address
    lines = [re.sub(r"\d+\.\d\dKB|-reuse-pid=\d+", "...", line[20:]) for line in ended.out.splitlines()]
    assert lines == [
        "Project content is packed for delivery (...).",
        "If killed, discard servers with: spread ... -discard",
        "Allocating lab:debian-12...",
        f"Waiting for lab:debian-12 to make SSH available at {address}...",
        "Allocated lab:debian-12.",
        "Connecting to lab:debian-12...",
        f"Connected to lab:debian-12 at {address}.",
        "Sending project content to lab:debian-12...",
        "Preparing lab:debian-12:tests/good (lab:debian-12)...",
        "Executing lab:debian-12:tests/good (lab:debian-12) (1/1)...",
        "Restoring lab:debian-12:tests/good (lab:debian-12)...",
        "Discarding lab:debian-12...",
        "Successful tasks: 1",
        "Aborted tasks: 0",
    ]
    assert one.taken() == one.notes() == []


def test_a_user_with_sudo_will_do(lab: MakeLab) -> None:
    one = lab(1)
    one.write(username="tester")
    one.project.task("root", "execute: test $(id -u) = 0\n")
    assert one.project.run("outspread", "run").code == 0


def test_a_wrong_password_is_known_within_seconds(lab: MakeLab) -> None:
    one = lab(1)
    one.write(password="wr0ng")
    one.project.task("never", "execute: 'true'\n")
    began = time.monotonic()
    ended = one.project.run("outspread", "run")
    assert time.monotonic() - began < 15
    assert ended.code == 1
    assert "cannot log in as root@" in ended.out
    assert "wr0ng" not in ended.out + ended.err
    assert one.taken() == []


def test_trouble_with_scripts_is_told_and_tried_again(lab: MakeLab) -> None:
    one = lab(1)
    count = one.directory / "count"
    one.write(before=f"echo >> {count}; if [ $(wc -l < {count}) -lt 3 ]; then rm taken/$address; ERROR not yet; fi")
    one.project.task("good", "execute: 'true'\n")
    ended = one.project.run("spread")
    assert ended.code == 0
    assert ended.out.count("Allocating lab:debian-12...") == 1
    assert ended.out.count("Cannot allocate lab:debian-12: not yet") == 1
    one.write(before="FATAL no such thing")
    ended = one.project.run("spread")
    assert ended.code == 1
    assert "Cannot allocate lab:debian-12: no such thing" in ended.out
    assert "Aborted tasks: 1" in ended.out


def test_a_machine_that_dies_is_replaced_and_its_job_done_again(lab: MakeLab) -> None:
    one = lab(2)
    one.write(workers=1)
    for name in ("first", "second"):
        one.project.task(name, f"execute: '[ ! -e {name} ]; touch {name}; sleep 1'\n")
    with one.project.start("outspread", "run", "--json") as process:
        wait_for(
            lambda: any(
                (Path(f"/proc/{min(one.hosts[0].processes())}/root/srv/made/tests") / name / name).exists()
                for name in ("first", "second")
            )
        )
        (one.directory / "hosts" / one.hosts[0].spread_address).unlink()
        one.hosts[0].kill()
        out, _ = process.communicate(timeout=90)
    assert process.returncode == 0, out
    finished = [(event["job"], event["outcome"]) for event in events_of(out) if event["event"] == "attempt-finished"]
    assert sorted(outcome for _, outcome in finished) == ["infra", "passed", "passed"]
    assert one.taken() == []


def test_machines_are_got_side_by_side(lab: MakeLab) -> None:
    """Eight at once take about as long as one: each script waits for half a second."""
    one = lab(8)
    for number in range(8):
        one.project.task(f"t{number}", "execute: sleep 0.2\n")
    took: dict[int, float] = {}
    for workers in (1, 8):
        one.write(before="sleep 3", workers=workers)
        ended = one.project.run("outspread", "run", "--json")
        assert ended.code == 0, ended.out
        events = events_of(ended.out)
        began = next(event["at"] for event in events if event["event"] == "machine-requested")
        took[workers] = max(event["at"] for event in events if event["event"] == "machine-connected") - began
    assert took[8] <= 1.5 * took[1], took


def test_the_example_and_four_hundred_jobs_on_four_hosts(lab: MakeLab) -> None:
    four = lab(4)
    shutil.copytree(EXAMPLE, four.project.root, ignore=shutil.ignore_patterns("spread.yaml"), dirs_exist_ok=True)
    ended = four.project.run("outspread", "run")
    assert ended.code == 1
    assert "2 jobs: 1 passed, 1 failed in " in ended.out

    shutil.rmtree(four.project.root / "tests")
    for number in range(400):
        four.project.task(f"t{number:03}", "execute: 'true'\n")
    ended = four.project.run("outspread", "run", "--json")
    assert ended.code == 0
    finished = [event for event in events_of(ended.out) if event["event"] == "attempt-finished"]
    assert sorted(event["job"].rpartition("/")[2] for event in finished) == [f"t{number:03}" for number in range(400)]
    assert len({event["server"] for event in finished}) == 4
    assert four.taken() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_while_it_gets_a_machine_it_ends_at_once(lab: MakeLab, number: int) -> None:
    one = lab(1)
    one.write(before=f"ADDRESS $address; touch {one.directory}/getting; sleep 98765")
    one.project.task("never", "execute: 'true'\n")
    with one.project.start("outspread", "run") as process:
        wait_for((one.directory / "getting").exists)
        began = time.monotonic()
        process.send_signal(number)
        process.communicate(timeout=20)
    assert time.monotonic() - began < 10
    assert process.returncode == 130
    assert one.taken() == []


def test_interrupted_while_a_machine_boots_it_ends_at_once(lab: MakeLab) -> None:
    one = lab(0)
    with socket.socket() as silent:  # the port is taken, and nobody listens
        silent.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        (one.directory / "hosts" / address).write_text("0")
        one.write(workers=1)
        one.project.task("never", "execute: 'true'\n")
        with one.project.start("spread") as process:
            assert process.stdout is not None
            assert any("Connecting to" in line for line in process.stdout)
            process.send_signal(signal.SIGINT)
            out, _ = process.communicate(timeout=20)
    assert "Discarding lab:debian-12..." in out
    assert one.taken() == []


def test_an_address_that_two_machines_name_is_an_error(lab: MakeLab) -> None:
    one = lab(1)
    one.write(workers=2, before="rm taken/$address; ADDRESS $address; exit", discard="'true'")
    for name in ("a", "b"):
        one.project.task(name, "execute: sleep 1\n")
    ended = one.project.run("spread")
    assert ended.code == 1
    assert "another machine, lab:debian-12, is there" in ended.out
    assert "Successful tasks: 2" in ended.out


@pytest.mark.parametrize("program", [["outspread", "run"], ["spread"]], ids=" ".join)
@pytest.mark.parametrize("phase", ["allocate", "boot", "send", "prepare", "execute", "discard"])
def test_what_a_killed_run_leaves_is_found(lab: MakeLab, phase: str, program: list[str]) -> None:
    one = lab(1)
    here, disk = one.directory, Path(f"/proc/{min(one.hosts[0].processes())}/root")
    linger = dict.fromkeys(("allocate", "boot", "prepare", "execute"), "true")
    linger |= {"boot": f"address=127.0.0.1:1; touch {here}/at-boot"} if phase == "boot" else {}
    linger |= {"allocate": f"touch {here}/at-allocate; sleep 98765"} if phase == "allocate" else {}
    linger |= {phase: f"touch /at-{phase}; sleep 98765"} if phase in ("prepare", "execute") else {}
    if phase == "send":
        (disk / "usr/bin/tar").rename(disk / "usr/bin/real-tar")
        (disk / "usr/bin/tar").write_text("#!/bin/sh\ntouch /at-send\nexec sleep 98765\n")
        (disk / "usr/bin/tar").chmod(0o755)
    if phase == "discard":
        (here / "hold").touch()
    one.write(
        before=f"{linger['allocate']}; {linger['boot']}",
        discard=f"[ ! -e {here}/hold ] || {{ touch {here}/at-discard; sleep 98765; }}; "
        f'rm $(grep -l -x -F "$OUTSPREAD_MACHINE_ID" {here}/taken/*)',
    )
    one.project.task("good", f"prepare: {linger['prepare']}\nexecute: {linger['execute']}\n")

    with one.project.start(*program) as process:
        wait_for(lambda: (here / f"at-{phase}").exists() or (disk / f"at-{phase}").exists())
        if phase == "boot":
            wait_for(lambda: "127.0.0.1:1" in recorded_machines(one.project.state))
        process.kill()
        process.communicate(timeout=20)
    (here / "hold").unlink(missing_ok=True)
    assert one.taken() != []
    ended = one.project.run("outspread", "discard", "--orphans")
    assert ended.code == 0, ended.err
    assert re.fullmatch(r"lab:debian-12( \(.*\))?: given back\n", ended.out)
    assert one.taken() == one.notes() == []
    assert one.project.run("outspread", "discard", "--orphans").err == "nothing to discard\n"

    if phase == "send":
        (disk / "usr/bin/real-tar").rename(disk / "usr/bin/tar")
    one.write()
    one.project.task("good", "execute: 'true'\n")
    assert one.project.run(*program).code == 0


def recorded_machines(state: Path) -> str:
    """Return what the record says of machines."""
    with sqlite3.connect(f"file:{state}/state.db?mode=ro", uri=True) as database:
        return repr(database.execute("SELECT * FROM machines").fetchall())


def test_a_killed_run_says_beforehand_what_gives_its_machines_back(lab: MakeLab) -> None:
    one = lab(1)
    one.project.task("long", "execute: touch /begun; sleep 98765\n")
    begun = Path(f"/proc/{min(one.hosts[0].processes())}/root/begun")
    for program, pattern in (
        (["outspread", "run"], r"if killed, give its machines back with: (.*)"),
        (["spread"], r"If killed, discard servers with: (.*)"),
    ):
        with one.project.start(*program) as process:
            wait_for(begun.exists)
            begun.unlink()
            process.kill()
            out, _ = process.communicate(timeout=20)
        found = re.search(pattern, out)
        assert found is not None
        words = found[1].split()
        assert one.taken() != []
        ended = one.project.run(*words)
        assert ended.code == 0, ended.err
        assert one.taken() == one.notes() == []
        assert one.project.run(*words).code == 0


def test_a_run_that_goes_on_is_not_discarded(lab: MakeLab) -> None:
    one = lab(1)
    one.project.task("long", "execute: touch /begun; while [ ! -e /enough ]; do sleep 0.1; done\n")
    disk = Path(f"/proc/{min(one.hosts[0].processes())}/root")
    with one.project.start("outspread", "run") as process:
        wait_for((disk / "begun").exists)
        assert one.project.run("outspread", "discard", "--orphans").err == "nothing to discard\n"
        (run,) = json.loads(one.project.run("outspread", "history", "--json").out)
        ended = one.project.run("outspread", "discard", "--run", run["run_id"])
        assert ended.code == 1
        assert "it is still going" in ended.err
        (disk / "enough").touch()
        process.communicate(timeout=20)
    assert process.returncode == 0
