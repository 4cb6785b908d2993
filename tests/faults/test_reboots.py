"""Reboots that tests ask for, on hosts that really boot (F9)."""

import json
from collections.abc import Callable
from typing import Any

NewSite = Callable[..., Any]

#: Each script writes down its boot and how often it was begun, and asks for a reboot with a key and without.
TWICE = """
    cat /proc/sys/kernel/random/boot_id >> /root/boots-{verb}
    echo "$SPREAD_REBOOT" >> /root/counts-{verb}
    case $SPREAD_REBOOT in
        0) REBOOT ;;
        1) REBOOT tidy ;;
    esac
"""


def events_of(out: str, kind: str) -> list[dict[str, Any]]:
    return [event for line in out.splitlines() if (event := json.loads(line))["event"] == kind]


def test_each_script_goes_on_after_its_reboots_and_the_eleventh_is_refused(new_site: NewSite) -> None:
    site = new_site("reboots", hosts=2)
    verbs = ("prepare", "execute", "restore")
    site.project.task("twice", "".join(f"{verb}: |{TWICE.format(verb=verb)}" for verb in verbs))
    site.project.task("endless", "execute: echo $SPREAD_REBOOT >> /root/counts; REBOOT\n")
    ended = site.project.run("outspread", "run", "--json")
    for host, boots in zip(site.hosts, _boots_of(site, ended.out), strict=True):
        for _ in range(boots):
            host.wait_for_boot()
    outcomes = {event["job"].rpartition("/")[2]: event for event in events_of(ended.out, "attempt-finished")}
    assert outcomes["twice"]["outcome"] == "passed"
    assert (outcomes["endless"]["outcome"], outcomes["endless"]["reason"]) == ("failed", "asked for more than 10 reboots")
    assert ended.code == 1
    assert site.finals() == {"passed": 1, "failed": 1}
    disks = {("endless" if (host.disk / "root/counts").exists() else "twice"): host.disk / "root" for host in site.hosts}
    assert (disks["endless"] / "counts").read_text().split() == [str(count) for count in range(11)]
    for verb in verbs:
        assert (disks["twice"] / f"counts-{verb}").read_text().split() == ["0", "1", "tidy"]
        assert len(set((disks["twice"] / f"boots-{verb}").read_text().split())) == 3


def _boots_of(site: Any, out: str) -> list[int]:
    """Return how often each host of the site booted."""
    asked = events_of(out, "reboot-requested")
    return [sum(host.spread_address in event["machine"] and event["count"] <= 10 for event in asked) for host in site.hosts]


def test_a_machine_that_does_not_come_back_is_an_infrastructure_failure_with_its_cause(new_site: NewSite) -> None:
    """One that stays off, and one that never goes down; then one that does as it is asked."""
    site = new_site("away", hosts=3)
    fates = ["poweroff", "true", "/root/reboot"]
    for host, fate in zip(sorted(site.hosts, key=lambda host: str(host.spread_address)), fates, strict=True):
        reboot = host.disk / "usr/sbin/reboot"
        reboot.rename(host.disk / "root/reboot")
        reboot.write_text(f"#!/bin/sh\nexec {fate}\n")
        reboot.chmod(0o755)
    # a machine is got once only: what is wrong with it stays
    site.write(before=f"mv hosts/$address {site.here}/$address.used; host={site.here}/$address.used", workers=1)
    site.project.task("one", "kill-timeout: 3s\nexecute: '[ $SPREAD_REBOOT = 1 ] || REBOOT'\n")
    ended = site.project.run("outspread", "run", "--json")
    max(site.hosts, key=lambda host: str(host.spread_address)).wait_for_boot()
    attempts = events_of(ended.out, "attempt-finished")
    assert [attempt["outcome"] for attempt in attempts] == ["infra", "infra", "passed"]
    for attempt, why in zip(attempts, ("nothing listens on port", "it has not gone down"), strict=False):
        assert "machine did not come back from a requested reboot: cannot reboot" in attempt["reason"]
        assert "it is not back after 3 s" in attempt["reason"]
        assert why in attempt["reason"]
    assert ended.code == 0
    assert site.finals() == {"passed": 1}
