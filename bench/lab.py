"""Hosts that SSH reaches, and projects whose scripts take and give them back."""

import asyncio
import contextlib
import os
import time
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import asyncssh
from tests.hosts.host import Host

from bench.made_projects import make_project
from bench.timing import ProcessCost, run_process

_LAB = """\
    lab:
        type: adhoc
        allocate: |
            for host in {hosts}/*; do
                if (set -C; : > $host/taken) 2> /dev/null; then
                    ADDRESS $(cat $host/address)
                    exit
                fi
            done
            ERROR every host is taken
        discard: rm {hosts}/$SPREAD_SYSTEM_ADDRESS/taken
        systems:
            - debian-12:
                username: root
                password: {password}
                workers: {workers}
"""

_EXECS = 60


class Lab:
    """Hosts for projects in ``directory``; what runs record is kept there, too."""

    def __init__(self, directory: Path, hosts: list[Host], program: str) -> None:
        self.directory = directory
        self.hosts = hosts
        self._program = program
        self._state = directory / "state"
        self._state.mkdir()
        for host in hosts:
            place = directory / "hosts" / host.spread_address
            place.mkdir(parents=True)
            (place / "address").write_text(f"{host.spread_address}\n")

    def project(self, name: str, *, tasks: int, workers: int = 1, execute: str = "true", more: str = "") -> Path:
        """Make a project of equal tasks on ``workers`` of the hosts; ``more`` is more of its spread.yaml."""
        backends = _LAB.format(hosts=self.directory / "hosts", password=self.hosts[0].password, workers=workers)
        return make_project(self.directory / name, tasks=tasks, execute=execute, backends=backends, more=more)

    def run(self, project: Path, *options: str, output: Path | None = None) -> ProcessCost:
        """Run a project on hosts as they were before, and return what the process cost; its output goes to ``output``."""
        for host in self.hosts:
            host.remove("/srv/bench")
        environment = os.environ | {"OUTSPREAD_STATE": str(self._state)}
        cost = run_process([self._program, "run", *options], cwd=project, env=environment, output=output)
        if cost.exit_code:
            raise SystemExit(f"{self._program} run in {project} ended with {cost.exit_code}")
        return cost

    def exec_ms(self) -> float:
        """Return what an exec of bash on a live connection to the first host takes, on the average."""
        return asyncio.run(_exec_s(self.hosts[0])) * 1000

    def log_in_s(self, count: int) -> float:
        """Return how long it takes to log in to so many hosts side by side, and to run a bash on each, by hand."""
        return asyncio.run(_log_in_s(self.hosts[:count]))


@contextlib.contextmanager
def open_lab(directory: Path, program: str, *, hosts: int) -> Iterator[Lab]:
    """Make so many hosts; they are gone afterwards, however this ends: they end with this process."""
    with contextlib.ExitStack() as made:
        yield Lab(directory, [made.enter_context(Host()) for _ in range(hosts)], program)


def _connection(host: Host) -> AbstractAsyncContextManager[asyncssh.SSHClientConnection]:
    return asyncssh.connect(
        host.address, host.port, username="root", password=host.password, known_hosts=None, config=None, client_keys=None
    )


async def _exec_s(host: Host) -> float:
    async with _connection(host) as connection:
        await connection.run("bash -c :")
        began = time.perf_counter()
        for _ in range(_EXECS):
            await connection.run("bash -c :")
        return (time.perf_counter() - began) / _EXECS


async def _log_in_s(hosts: list[Host]) -> float:
    async def use(host: Host) -> None:
        async with _connection(host) as connection:
            await connection.run("bash -c :")

    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for host in hosts:
            group.create_task(use(host))
    return time.perf_counter() - began
