"""SSH connections that are cut in a run (F17), and machines whose host key changes (F18)."""

import json
import os
import random
import signal
from collections.abc import Callable
from typing import Any

import pytest
from tests.faults.cable import Cable
from tests.faults.site import wait_for
from tests.hosts.host import Host

NewSite = Callable[..., Any]
NewHost = Callable[..., Host]
SideBySide = Callable[..., None]

LINES = 3000
PHASES = ("prepare", "execute", "restore")


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> random.Random:
    """Where connections are cut; ``SEED`` in the environment repeats a test."""
    number = int(os.environ.get("SEED") or random.randrange(10**9))
    print(f"{request.node.name}: SEED={number}")
    return random.Random(number)


def counting(stop_at: int) -> str:
    """Return a script that prints numbered lines, and waits on the way until it is told to go on."""
    wait = f"if [ $n = {stop_at} ]; then touch /at; until [ -e /go ]; do sleep 0.02; done; fi"
    return f"set +x; for n in $(seq {LINES}); do echo line $n; {wait}; done"


def steps(out: str) -> list[dict[str, Any]]:
    return [event for line in out.splitlines() if (event := json.loads(line))["event"] == "step-finished"]


@pytest.mark.parametrize("how", ["killed", "reset"])
def test_the_log_has_no_gap_and_no_repeat_and_the_job_passes(new_site: NewSite, seed: random.Random, how: str) -> None:
    """Three machines at once, of which each is cut off in another phase."""
    site = new_site(how, hosts=3)
    for phase in PHASES:
        texts = dict.fromkeys(PHASES, "'true'") | {phase: f"'{counting(seed.randrange(1, LINES))}'"}
        site.project.task(phase, "".join(f"{verb}: {text}\n" for verb, text in texts.items()))
    cables = [Cable(host.address, host.port) for host in site.hosts]
    for host, cable in zip(site.hosts, cables, strict=True):
        entry = site.here / "hosts" / host.spread_address
        entry.rename(entry.with_name(cable.spread_address))
    with site.project.start("outspread", "run", "--json", "-vv") as process:
        for host, cable in zip(site.hosts, cables, strict=True):
            disk = host.disk
            wait_for((disk / "at").exists, "a script that prints")
            if how == "killed":
                assert host.signal_connections(signal.SIGKILL)
            else:
                cable.reset()
            (disk / "go").touch()
        out, err = process.communicate(timeout=30)
    for cable in cables:
        cable.__exit__()
    assert process.returncode == 0, (out, err)
    assert site.finals() == {"passed": 3}
    assert '"infra"' not in out
    expected = [f"line {number}" for number in range(1, LINES + 1)]
    found = {step["verb"]: step["output"].splitlines() for step in steps(out) if "line 1\n" in step["output"]}
    assert sorted(found) == sorted(PHASES)
    for lines in found.values():
        assert [line for line in lines if line.startswith("line ")] == expected


def test_a_machine_that_is_cut_off_for_good_is_replaced(new_site: NewSite, side_by_side: SideBySide) -> None:
    side_by_side(lambda phase: cut_off(new_site(phase, hosts=2), phase), PHASES)


def cut_off(site: Any, phase: str) -> None:
    """Cut off the first machine in ``phase``."""
    entry = site.here / "hosts" / site.hosts[0].spread_address
    with Cable(site.hosts[0].address, site.hosts[0].port) as cable:
        entry.rename(entry.with_name(cable.spread_address))
        site.write(before=f"[ ! -e {site.here}/first ] || touch /proc/$(cat $host)/root/calm; touch {site.here}/first", workers=1)
        for name in ("one", "two"):
            texts = {"execute": "'true'"} | {phase: "'[ -e /calm ] || { touch /at; sleep 98765; }'"}
            site.project.task(name, "".join(f"{verb}: {text}\n" for verb, text in texts.items()))
        with site.project.start("outspread", "run") as process:
            wait_for((site.disk() / "at").exists, phase)  # the address of a cable comes first
            (site.here / "hosts" / cable.spread_address).unlink()
            cable.unplug()
            out, _ = process.communicate(timeout=30)
    assert process.returncode == 0, out
    assert site.finals() == {"passed": 2}
    assert "machine lost" in out
    assert "nothing listens on port" in out
    assert "failed" not in out
    site.check()  # what ran there ended when nobody came back


def test_another_machine_at_the_address_is_refused_in_a_run_and_taken_as_a_new_one(new_site: NewSite, new_host: NewHost) -> None:
    site = new_site("changed")
    first = site.hosts[0]
    site.project.task("one", "execute: '[ -e /calm ] || { touch /at; sleep 98765; }'\n")
    with site.project.start("outspread", "run") as process:
        wait_for((first.disk / "at").exists, "a job")
        first.kill()
        second = new_host(address=first.address, port=first.port)
        (second.disk / "calm").touch()
        (site.here / "hosts" / first.spread_address).write_text(str(second.init))
        out, _ = process.communicate(timeout=30)
    assert process.returncode == 0, out
    assert "its host key is not the one it had before" in out
    assert site.finals() == {"passed": 1}
