"""Whole runs on emulated machines: a small Linux boots from a disk image, by software emulation where there is no other."""

import contextlib
import os
import re
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.guests.guest_image import PASSWORD

SPREAD_YAML = """\
project: made
path: /srv/made
backends:
    qemu:
        memory: 256M
        systems:
            - debian-12:
                username: root
                password: {password}
                workers: {workers}
                device-backends: {{drive: virtio, network: virtio-net-pci}}
                saved-state: {saved}
                wait-timeout: 60s
suites:
    tests/:
        summary: Made for a test
"""


class Guests:
    """A project whose machines are emulated."""

    def __init__(self, project: Any, environment: Mapping[str, str]) -> None:
        self.project = project
        self.environment = {**environment, "OUTSPREAD_STATE": str(project.state)}
        self.write()

    def write(self, *, workers: int = 1, saved: bool = True) -> None:
        text = SPREAD_YAML.format(password=PASSWORD, workers=workers, saved=str(saved).lower())
        self.project.file("spread.yaml", text)

    def run(self, *words: str) -> Any:
        return self.project.run(*words, env=self.environment, within_s=90)

    def start(self, *words: str) -> Any:
        return self.project.start(*words, env=self.environment)

    def running(self) -> dict[int, str]:
        """Return the command lines of its QEMUs by their numbers."""
        found = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                with contextlib.suppress(OSError):
                    words = (entry / "cmdline").read_bytes().decode().split("\0")
                    if words[0].startswith("qemu-system-") and any(f"={self.project.state}/" in word for word in words):
                        found[int(entry.name)] = " ".join(words)
        return found

    def directories(self) -> list[Path]:
        """Return what there is of machines on disk."""
        place = self.project.state / "qemu"
        return sorted(place.iterdir()) if place.exists() else []


@pytest.fixture
def guests(project: Any, guest_home: dict[str, str]) -> Iterator[Guests]:
    made = Guests(project, guest_home)
    yield made
    left = made.running()
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert left == {}


def wait_for(condition: Callable[[], object], *, within_s: float = 40) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "the condition never held"
        time.sleep(0.02)


def test_a_machine_boots_from_the_image_reboots_and_leaves_no_trace(guests: Guests, guest_image: Path) -> None:
    guests.write(saved=False)
    before = guest_image.stat()
    guests.project.task(
        "reboots",
        "execute: |\n"
        "    if [ $SPREAD_REBOOT = 0 ]; then echo kept > /var/kept; cp /proc/sys/kernel/random/boot_id /var/boot; REBOOT; fi\n"
        "    MATCH kept < /var/kept\n"
        "    NOMATCH $(cat /var/boot) < /proc/sys/kernel/random/boot_id\n",
    )
    ended = guests.run("outspread", "run")
    assert ended.code == 0, ended.out + ended.err
    assert guests.directories() == []
    assert (guest_image.stat().st_mtime_ns, guest_image.stat().st_size) == (before.st_mtime_ns, before.st_size)


def test_spreads_log_line_for_line(guests: Guests) -> None:
    guests.project.task("good", "execute: MATCH made < ../../spread.yaml; test $(id -u) = 0\n")
    ended = guests.run("spread")
    assert (ended.code, ended.err) == (0, ""), ended.out
    # where Spread names ports for the console and the monitor, we have sockets
    varying = r"\d+\.\d\dKB|-reuse-pid=\d+|127\.0\.0\.1:\d+|/\S+\.sock"
    lines = [re.sub(varying, "...", line[20:]) for line in ended.out.splitlines()]
    assert [line for line in lines if not line.startswith("Booting ")] == [  # when it is the first to need the saved state
        "Project content is packed for delivery (...).",
        "If killed, discard servers with: spread ... -discard",
        "Allocating qemu:debian-12...",
        "Serial and monitor for qemu:debian-12 available at ... and ....",
        "Waiting for qemu:debian-12 to make SSH available at ......",
        "Allocated qemu:debian-12.",
        "Connecting to qemu:debian-12...",
        "Connected to qemu:debian-12 at ....",
        "Sending project content to qemu:debian-12...",
        "Executing qemu:debian-12:tests/good (qemu:debian-12) (1/1)...",
        "Discarding qemu:debian-12...",
        "Successful tasks: 1",
        "Aborted tasks: 0",
    ]


def test_machines_stay_with_reuse(guests: Guests) -> None:
    guests.project.task("good", "execute: 'true'\n")
    guests.project.task("bad", "execute: exit 1\n")
    ended = guests.run("outspread", "run", "--reuse")
    assert ended.code == 1
    assert "2 jobs: 1 passed, 1 failed in " in ended.out
    running = guests.running()
    assert len(running) == 1
    ended = guests.run("outspread", "run", "--reuse")
    assert ended.code == 1
    assert "2 jobs: 1 passed, 1 failed in " in ended.out
    assert guests.running() == running
    assert guests.run("outspread", "discard").code == 0
    assert guests.running() == {}
    assert guests.directories() == []


def test_copies_of_one_machine_have_the_hosts_time_and_randomness_of_their_own(guests: Guests) -> None:
    guests.write(workers=2)
    for name in ("a", "b"):  # long enough for both machines to take one
        guests.project.task(
            name, "execute: |\n    date +now=%s\n    head -c 16 /dev/urandom | base64 | sed s/^/random=/\n    sleep 3\n"
        )
    ended = guests.run("outspread", "run", "-vv")
    assert ended.code == 0, ended.out + ended.err
    for now in re.findall(r"now=(\d+)", ended.out):
        assert abs(int(now) - time.time()) < 30
    assert len(set(re.findall(r"random=(\S+==)", ended.out))) == 2


@pytest.mark.parametrize("phase", ["boot", "save", "execute"])
def test_what_a_killed_run_leaves_is_found(guests: Guests, phase: str, tmp_path: Path) -> None:
    guests.write(saved=phase != "boot")
    if phase == "save":
        guests.environment["XDG_CACHE_HOME"] = str(tmp_path / "cache")  # without the state that the other tests share
    guests.project.task("long", "execute: |\n    echo begun\n    sleep 98765\n")
    with guests.start("outspread", "run", "--live") as process:
        if phase == "execute":
            assert any("begun" in line for line in process.stdout)
        else:
            wait_for(guests.running)
        process.kill()
        process.communicate(timeout=20)
    assert len(guests.running()) == 1
    ended = guests.run("outspread", "discard", "--orphans")
    assert ended.code == 0, ended.err
    assert re.fullmatch(r"qemu:debian-12( \(.*\))?: given back\n", ended.out)
    assert guests.running() == {}
    assert guests.directories() == []
    assert guests.run("outspread", "discard", "--orphans").err == "nothing to discard\n"
