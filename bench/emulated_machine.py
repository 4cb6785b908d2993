"""Machines of QEMU's: from a command to the first line of a job's output, beside the same guest started by hand."""

import asyncio
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import asyncssh
from tests.guests.guest_image import PASSWORD, make_image, why_no_guests

from bench.first_lines import make_marking_project, seconds_side_by_side, seconds_to_first_lines
from bench.report import Figure

ROUNDS = 5
ROUNDS_OF_EIGHT = 2
MOST_OF_BY_HAND = 1.2
MOST_OF_EIGHT_BY_HAND = 1.3
EIGHT = 8

BACKEND = """memory: 256M
systems:
    - debian-12:
        password: {password}
        device-backends: {{drive: virtio, network: virtio}}
        saved-state: {saved}
        workers: {machines}
"""


def emulated_machine(bin_dir: Path) -> Iterator[Figure]:
    if reason := why_no_guests():
        sys.stdout.write(f"  not measured: {reason}\n")
        return
    with tempfile.TemporaryDirectory() as scratch:
        base = Path(scratch)
        image = make_image(base / "guest")
        (base / ".spread/qemu").mkdir(parents=True)
        (base / ".spread/qemu/debian-12.img").symlink_to(image)
        cold = _project(base / "cold")
        hand, ours = [], []
        for _ in range(ROUNDS):  # in turn, so that what else the host does weighs on both
            hand.append(_by_hand(image))
            ours.append(_to_first_lines(bin_dir, cold, base))
        by_hand = statistics.median(hand)
        yield Figure("qemu: the guest by hand, from its start to the end of a first command", by_hand, "s")
        bound = by_hand * MOST_OF_BY_HAND
        yield Figure("qemu: process start to the first line of a job's output", statistics.median(ours), "s", bound)
        saved = _project(base / "saved", saved=True)
        yield Figure("qemu: the same, which saves the state of the machine first", _to_first_lines(bin_dir, saved, base), "s")
        again = statistics.median(_to_first_lines(bin_dir, saved, base) for _ in range(ROUNDS))
        yield Figure("qemu: the same, from the saved state", again, "s")
        yield from _side_by_side(bin_dir, base, image)


def _side_by_side(bin_dir: Path, base: Path, image: Path) -> Iterator[Figure]:
    project = _project(base / "eight", machines=EIGHT)
    hand, ours = [], []
    for _ in range(ROUNDS_OF_EIGHT):
        hand.append(seconds_side_by_side(lambda _number: _by_hand(image, answers_within_s=10), EIGHT))
        ours.append(_to_first_lines(bin_dir, project, base, jobs=EIGHT))
    by_hand = statistics.median(hand)
    yield Figure("qemu: eight guests side by side by hand, to the end of each first command", by_hand, "s")
    ratio = statistics.median(ours) / by_hand
    note = f"{statistics.median(ours):.2f} s"
    yield Figure("qemu: process start to a line of each of eight jobs, by that", ratio, "times", MOST_OF_EIGHT_BY_HAND, note)


def _project(root: Path, *, saved: bool = False, machines: int = 1) -> Path:
    backend = BACKEND.format(password=PASSWORD, saved=str(saved).lower(), machines=machines)
    return make_marking_project(root, "qemu", backend, machines=machines)


def _to_first_lines(bin_dir: Path, project: Path, home: Path, *, jobs: int = 1) -> float:
    environment = {"HOME": str(home), "OUTSPREAD_STATE": str(home / "state"), "XDG_CACHE_HOME": str(home / "cache")}
    return seconds_to_first_lines(bin_dir, project, environment | {"SPREAD_QEMU_KVM": "0"}, jobs=jobs)


def _by_hand(image: Path, *, answers_within_s: float = 1.0) -> float:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    forward = f"user,id=net0,hostfwd=tcp:127.0.0.1:{port}-:22"
    arguments = ["-accel", "tcg", "-cpu", "max", "-m", "256", "-display", "none", "-serial", "null", "-monitor", "none"]
    arguments += ["-netdev", forward, "-device", "virtio-net-pci,netdev=net0"]
    arguments += ["-drive", f"if=virtio,file={image},format=raw,snapshot=on"]
    began = time.perf_counter()
    with subprocess.Popen(["qemu-system-x86_64", *arguments]) as qemu:
        try:
            asyncio.run(_first_command(port, answers_within_s))
            return time.perf_counter() - began
        finally:
            qemu.kill()


async def _first_command(port: int, answers_within_s: float) -> None:
    while True:
        try:
            options = {"username": "root", "password": PASSWORD, "known_hosts": None, "config": None, "client_keys": None}
            async with asyncssh.connect(
                "127.0.0.1", port, connect_timeout=answers_within_s, login_timeout=20, **options
            ) as connection:
                await connection.run("echo done", check=True)
                return
        except (OSError, asyncssh.Error):
            await asyncio.sleep(0.1)
