"""Whole runs on containers of a real LXD daemon, whose image has no Python."""

import json
import time
from typing import Any

import pytest
from tests.lxd.daemon import LxdDaemon

YAML = """\
project: made
path: /srv/made
backends:
    lxd:
        systems:
            - debian-12:
                workers: {workers}
suites:
    tests/:
        summary: Made for a test
"""


@pytest.fixture
def on_lxd(project: Any, lxd: LxdDaemon, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The project of a test, with containers for machines."""
    for name, value in lxd.environment.items():
        monkeypatch.setenv(name, value)
    project.file("spread.yaml", YAML.format(workers=1))
    return project


def test_the_session_of_spread(on_lxd: Any, lxd: LxdDaemon) -> None:
    on_lxd.file("spread.yaml", YAML.format(workers=2) + "        prepare: echo prepared > /tmp/prepared\n")
    on_lxd.task("good", "execute: cat /tmp/prepared > out.txt; hostname >> out.txt\nartifacts: [out.txt]\n")
    on_lxd.task("bad", "execute: exit 7\n")
    on_lxd.task("slow", "kill-timeout: 1s\nexecute: sleep 100\n")
    on_lxd.task("boots", 'execute: |\n  if [ "$SPREAD_REBOOT" = 0 ]; then REBOOT; fi\n  [ "$SPREAD_REBOOT" = 1 ]\n')
    run = on_lxd.run("spread", "-artifacts", "artifacts", within_s=120)
    assert run.code == 1
    assert "Successful tasks: 2" in run.out, run.out
    assert "Failed tasks: 2" in run.out
    assert "<kill-timeout reached>" in run.out
    (fetched,) = on_lxd.root.glob("artifacts/*/good/out.txt")
    prepared, host = fetched.read_text().split()
    assert prepared == "prepared"
    assert host.startswith("spread-")
    assert lxd.instances() == []


def test_shells_through_the_server(on_lxd: Any, lxd: LxdDaemon) -> None:
    on_lxd.task("any", "execute: 'true'\n")
    person = on_lxd.on_terminal("outspread", "shell", "debian-12")
    person.prompted()
    person.resize(40, 90)
    person.types("sleep 0.3; stty size; tty; pwd\n")
    assert "40 90\r\n/dev/pts/" in person.sees("/srv/made\r\n")
    person.types("exit\n")
    assert person.ends() == 0
    assert lxd.instances() == []


def test_kept_machines_and_what_a_killed_run_leaves(on_lxd: Any, lxd: LxdDaemon) -> None:
    on_lxd.task("any", "execute: echo $SPREAD_SYSTEM\n")
    for _ in range(2):
        kept = on_lxd.run("outspread", "run", "--reuse")
        assert kept.code == 0, kept.out + kept.err
    (name,) = lxd.instances()
    listed = json.loads(on_lxd.run("outspread", "machines", "--json").out)
    (machine,) = [one for one in listed if one["backend"] == "lxd"]
    assert machine["use"] == "kept"
    assert machine["machine_id"][:12] in name
    assert on_lxd.run("outspread", "discard").code == 0
    assert lxd.instances() == []

    on_lxd.task("any", "execute: sleep 100\n")
    for after_s in (0.7, 1.2, 4.0):  # while it is made, started, used
        run = on_lxd.start("outspread", "run")
        time.sleep(after_s)
        run.kill()
        run.communicate()
        discarded = on_lxd.run("outspread", "discard", "--orphans")
        assert discarded.code == 0, discarded.err
        assert lxd.instances() == []
        assert "lxd:debian-12" not in on_lxd.run("outspread", "machines").out


def test_a_machine_that_spread_made_is_used_and_given_back(on_lxd: Any, lxd: LxdDaemon) -> None:
    on_lxd.task("any", "execute: hostname\n")
    lxd.lxc("launch", "debian-12", "spread-3-debian-12")
    on_lxd.file(
        ".spread-reuse.yaml",
        "backends:\n  lxd:\n    systems:\n    - debian-12:\n        username: root\n        password: secret\n"
        "        address: 10.77.0.9\n        data:\n          name: spread-3-debian-12\n",
    )
    run = on_lxd.run("outspread", "run", "--reuse", "--resend", "-vv")
    assert run.code == 0, run.out + run.err
    assert "spread-3-debian-12" in run.out
    assert lxd.instances() == ["spread-3-debian-12"]
    assert on_lxd.run("outspread", "discard").code == 0
    assert lxd.instances() == []


def test_eight_side_by_side(on_lxd: Any, lxd: LxdDaemon) -> None:
    on_lxd.file("spread.yaml", YAML.format(workers=8))
    for number in range(8):
        on_lxd.task(f"t{number}", "execute: sleep 1\n")
    run = on_lxd.run("outspread", "run", within_s=120)
    assert "8 passed" in run.out, run.out
    assert lxd.instances() == [], run.out
