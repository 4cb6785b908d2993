"""A machine over SSH by itself: what it costs to get in, to run scripts and to move trees."""

import asyncio
import io
import os
import statistics
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from typing import IO

from tests.hosts.host import Host, why_no_hosts

from bench.report import Figure
from outspread.machines.ssh.shell import SshShell, open_ssh_shell
from outspread.machines.ssh.target import SshTarget

ROUNDS = 10
SCRIPTS = 300
TREES = 3


def _archive(files: Iterator[tuple[str, bytes]]) -> IO[bytes]:
    archive = tempfile.TemporaryFile()  # noqa: SIM115 - closed by whoever asked for it
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name, content in files:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return archive


async def _send(shell: SshShell, name: str, files: Iterator[tuple[str, bytes]]) -> float:
    """Return the median seconds of sending a tree."""
    took = []
    with _archive(files) as archive:
        for number in range(TREES):
            start = time.perf_counter()
            await shell.send_tree(archive, f"/var/{name}{number}")
            took.append(time.perf_counter() - start)
            await _run(shell, b"rm -rf /var/%b*" % name.encode())
    return statistics.median(took)


async def _run(shell: SshShell, script: bytes) -> None:
    await shell.run(script, output=lambda _piece: None, kill_after_s=60)


async def _measured(host: Host) -> list[Figure]:
    target = SshTarget(host.address, host.port, password=host.password)
    connecting, scripts, rebooting = [], [], []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        shell = await open_ssh_shell(target)
        await _run(shell, b"true")
        connecting.append(time.perf_counter() - start)
        await shell.close()
    shell = await open_ssh_shell(target)
    for _ in range(SCRIPTS):
        start = time.perf_counter()
        await _run(shell, b"true")
        scripts.append(time.perf_counter() - start)
    large = await _send(shell, "large", ((f"file{number}", os.urandom(10_000_000)) for number in range(20)))
    text = b"a line of some text\n" * 20
    small = await _send(shell, "small", ((f"d{number // 100}/file{number}", text) for number in range(20_000)))
    for _ in range(3):
        start = time.perf_counter()
        await shell.reboot(within_s=60)
        rebooting.append(time.perf_counter() - start)
    await shell.close()
    return [
        Figure("SSH: from an address to the end of a first script", statistics.median(connecting) * 1000, "ms"),
        Figure("SSH: one trivial script", statistics.median(scripts) * 1000, "ms", 2.5),
        Figure("SSH: 200 MB of random content to a machine", large, "s", 2.2),
        Figure("SSH: 20,000 small files to a machine", small, "s", 0.8),
        Figure("SSH: reboot", statistics.median(rebooting), "s"),
    ]


def ssh_shell() -> Iterator[Figure]:
    if reason := why_no_hosts():
        sys.stdout.write(f"  not measured: {reason}\n")
        return
    with Host() as host:
        yield from asyncio.run(_measured(host))
