"""Whole runs on machines that scripts get, over real SSH."""

import json
import re
import time
from collections.abc import Callable
from typing import Any

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


def test_an_address_that_two_machines_name_is_an_error(lab: MakeLab) -> None:
    one = lab(1)
    one.write(workers=2, before="rm taken/$address; ADDRESS $address; exit", discard="'true'")
    for name in ("a", "b"):
        one.project.task(name, "execute: sleep 1\n")
    ended = one.project.run("spread")
    assert ended.code == 1
    assert "another machine, lab:debian-12, is there" in ended.out
    assert "Successful tasks: 2" in ended.out


def test_a_killed_run_says_beforehand_what_gives_its_machines_back(lab: MakeLab) -> None:
    one = lab(1)
    one.project.task("long", "execute: touch /begun; sleep 98765\n")
    begun = one.hosts[0].disk / "begun"
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
    disk = one.hosts[0].disk
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
