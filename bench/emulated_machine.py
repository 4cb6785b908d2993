"""Machines of QEMU's: from a command to the first line of a job's output, beside the same guest started by hand."""

import asyncio
import os
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

from bench.report import Figure

ROUNDS = 3
MOST_OF_BY_HAND = 1.2
MARK = b"first-line-of-output"

SPREAD_YAML = """\
project: made
path: /srv/made
backends:
    qemu:
        memory: 256M
        systems:
            - debian-12:
                password: {password}
                device-backends: {{drive: virtio, network: virtio}}
                saved-state: {saved}
suites:
    tests/:
        summary: Made to be measured
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
        cold = _project(base / "cold", saved=False)
        saved = _project(base / "saved", saved=True)
        hand, ours = [], []
        for _ in range(ROUNDS):  # in turn, so that what else the host does weighs on both
            hand.append(_by_hand(image))
            ours.append(_to_first_line(bin_dir, cold, base))
        by_hand = statistics.median(hand)
        yield Figure("qemu: the guest by hand, from its start to the end of a first command", by_hand, "s")
        bound = by_hand * MOST_OF_BY_HAND
        yield Figure("qemu: process start to the first line of a job's output", statistics.median(ours), "s", bound)
        yield Figure("qemu: the same, which saves the state of the machine first", _to_first_line(bin_dir, saved, base), "s")
        again = statistics.median(_to_first_line(bin_dir, saved, base) for _ in range(ROUNDS))
        yield Figure("qemu: the same, from the saved state", again, "s")


def _project(root: Path, *, saved: bool) -> Path:
    task = root / "tests/one/task.yaml"
    task.parent.mkdir(parents=True)
    task.write_text(f"summary: one\nexecute: echo {MARK.decode()}\n")
    (root / "spread.yaml").write_text(SPREAD_YAML.format(password=PASSWORD, saved=str(saved).lower()))
    return root


def _to_first_line(bin_dir: Path, project: Path, home: Path) -> float:
    environment = {"HOME": str(home), "OUTSPREAD_STATE": str(home / "state"), "XDG_CACHE_HOME": str(home / "cache")}
    environment = os.environ | environment | {"SPREAD_QEMU_KVM": "0"}
    command = [str(bin_dir / "outspread"), "run", "-vv"]
    began = time.perf_counter()
    with subprocess.Popen(command, cwd=project, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as run:
        assert run.stdout is not None
        for line in run.stdout:
            if MARK in line:
                took = time.perf_counter() - began
                run.stdout.read()
                return took
    raise SystemExit("the job's output was never seen")


def _by_hand(image: Path) -> float:
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
            asyncio.run(_first_command(port))
            return time.perf_counter() - began
        finally:
            qemu.kill()


async def _first_command(port: int) -> None:
    while True:
        try:
            options = {"username": "root", "password": PASSWORD, "known_hosts": None, "config": None, "client_keys": None}
            async with asyncssh.connect("127.0.0.1", port, connect_timeout=1, login_timeout=20, **options) as connection:
                await connection.run(f"echo {MARK.decode()}", check=True)
                return
        except (OSError, asyncssh.Error):
            await asyncio.sleep(0.1)
