"""Machines that die in a run: each is replaced, its jobs go on, and what became of the one in hand is told."""

import json
from collections.abc import Callable
from typing import Any

from tests.faults.site import wait_for
from tests.hosts.host import Host

NewSite = Callable[..., Any]
SideBySide = Callable[..., None]

JOBS = ("one", "two", "three")
STAYS = "[ -e /calm ] || { touch /at; sleep 98765; }"

#: Where it dies: what the first attempt comes to there.
PLACES = {
    "project prepare": "infra",
    "suite prepare": "infra",
    "task prepare": "infra",
    "execute": "infra",
    "fetch": "passed",
    "task restore": "passed",
    "suite restore": "passed",
    "project restore": "passed",
}


def lay_out(site: Any, place: str) -> None:
    """Make the first machine stay at ``place``."""
    calm = f"if [ -e {site.here}/first ]; then touch /proc/$(cat $host)/root/calm; fi; touch {site.here}/first"
    level, _, verb = place.rpartition(" ")
    line = f"{verb}: '{STAYS}'\n"
    site.write({"project": line, "suite": f"        {line}"}.get(level, ""), before=calm, workers=1)
    for name in JOBS:
        site.project.task(
            name, "artifacts: [task.yaml]\n" + (line if level in ("task", "") and verb != "fetch" else "execute: 'true'\n")
        )
    if place == "fetch":
        tar = site.disk() / "usr/bin/tar"
        tar.rename(tar.with_name("real-tar"))
        tar.write_text(f'#!/bin/sh\ncase " $* " in *" -c "*) {STAYS};; esac\nexec real-tar "$@"\n')
        tar.chmod(0o755)


def take_power_from(site: Any, host: Host) -> None:
    """Have a host die, for good."""
    (site.here / "hosts" / host.spread_address).unlink()
    host.kill()


def attempts(out: str) -> list[tuple[str, str]]:
    """Return job and outcome of each attempt, in the order in which they ended."""
    events = [json.loads(line) for line in out.splitlines()]
    return [(event["job"].rpartition("/")[2], event["outcome"]) for event in events if event["event"] == "attempt-finished"]


def test_it_is_replaced_wherever_it_dies(new_site: NewSite, side_by_side: SideBySide) -> None:
    def die_in(place: str) -> None:
        site = new_site(place.replace(" ", "-"), hosts=2)
        lay_out(site, place)
        disk = site.disk()
        with site.project.start("outspread", "run", "--json", "--artifacts", str(site.here / "artifacts")) as process:
            wait_for((disk / "at").exists, place)
            take_power_from(site, site.hosts[0])
            out, _ = process.communicate(timeout=30)
        ended = attempts(out)
        assert ended[0][1] == PLACES[place]
        assert [outcome for _, outcome in ended].count("infra") == (PLACES[place] == "infra")
        assert sorted(job for job, outcome in ended if outcome == "passed") == sorted(JOBS)
        assert process.returncode == (1 if place == "fetch" else 0)  # its artifacts are lost
        assert site.finals() == {"passed": 3}
        site.check()

    side_by_side(die_in, PLACES)


def test_several_die_and_replacements_too(new_site: NewSite) -> None:
    """Two sessions lose two machines each."""
    site = new_site("several", hosts=6)
    count = f"echo >> {site.here}/count; [ $(wc -l < {site.here}/count) -le 4 ] || touch /proc/$(cat $host)/root/calm"
    site.write(before=count, workers=2)
    for number in range(8):
        site.project.task(f"t{number}", f"execute: '{STAYS}'\n")
    alive = list(site.hosts)
    with site.project.start("outspread", "run") as process:
        for _ in range(4):
            wait_for(lambda: any((host.disk / "at").exists() for host in alive), "a job on a machine that is to die")
            dying = next(host for host in alive if (host.disk / "at").exists())
            alive.remove(dying)
            take_power_from(site, dying)
        out, _ = process.communicate(timeout=30)
    assert process.returncode == 0, out
    assert site.finals() == {"passed": 8}
    assert out.count(": machine lost: lost the connection to ") == 4, out
    assert "nothing listens on port" in out
    assert "8 jobs: 8 passed in " in out


def test_without_a_replacement_the_rest_is_aborted(new_site: NewSite) -> None:
    site = new_site("none", hosts=1)
    (site.here / "hosts/nowhere").write_text("0")
    site.write(before=f"[ ! -e {site.here}/first ] || FATAL the lab is closed; touch {site.here}/first", workers=1)
    for name in JOBS:
        site.project.task(name, f"execute: '{STAYS}'\n")
    with site.project.start("outspread", "run") as process:
        wait_for((site.disk() / "at").exists, "a job")
        take_power_from(site, site.hosts[0])
        out, _ = process.communicate(timeout=30)
    assert process.returncode == 1
    assert site.finals() == {"aborted": 3}
    assert "lab:debian-12: the lab is closed" in out
    assert "3 jobs: 1 lost with their machine, 2 aborted" in out
