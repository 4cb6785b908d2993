"""Where a fault test happens: a project, its lab of hosts, our programs on it, and what they may not leave behind."""

import contextlib
import fcntl
import os
import re
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.hosts.host import Host
from tests.integration.cli.conftest import SPREAD_YAML, Lab, Project

_HASTY = Path(__file__).with_name("hasty.py")
_RESTING = ("hardware.py", "[listener]")  # what a host runs that nobody uses
_SETTLED_WITHIN_S = 15.0


def wait_for(fact: Callable[[], object], what: str, *, within_s: float = 30.0) -> None:
    """Return when ``fact`` holds; fail when it never does."""
    deadline = time.monotonic() + within_s
    while not fact():
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.02)


class _Running(subprocess.Popen[str]):
    """A program of ours that does not outlive a test which failed."""

    def __exit__(self, *error: Any) -> None:
        if error[0] is not None:
            self.kill()
        super().__exit__(*error)


class HastyProject(Project):
    """A project whose runs have limits that a test can wait for."""

    def start(self, program: str, *arguments: str, env: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
        """Start a program of ours in the project."""
        return _Running(
            [sys.executable, _HASTY, program, *arguments],
            cwd=self.root,
            env=self.environment(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="surrogateescape",
        )


class Site:
    """A project in ``directory`` and its lab, whose discard script finds a machine by its id."""

    def __init__(self, directory: Path, hosts: Sequence[Host]) -> None:
        root = directory / "project"
        root.mkdir(parents=True)
        self.project = HastyProject(root, directory / "state")
        self.project.file("spread.yaml", SPREAD_YAML.format(workers=1))
        self.hosts = hosts
        self.lab = Lab(directory / "lab", self.project, hosts)
        self.write()

    @property
    def here(self) -> Path:
        """A directory for marks of scripts that run on this computer."""
        return self.lab.directory

    def write(self, more: str = "", **changes: object) -> None:
        """Write the project's file, with ``more`` at its end."""
        mine = f'rm $(grep -l -x -F "$OUTSPREAD_MACHINE_ID" {self.here}/taken/*)'
        held = f"if [ -e {self.here}/hold ]; then touch {self.here}/at; until [ -e {self.here}/go ]; do sleep 0.1; done; fi"
        self.lab.write(**({"discard": f"{held}; {mine}"} | changes))
        with (self.project.root / "spread.yaml").open("a") as file:
            file.write(more)

    def disk(self, place: int = 0) -> Path:
        """Return the disk of a host that is up."""
        return self.hosts[place].disk

    def finals(self) -> dict[str, int]:
        """Return how many jobs of the latest run ended in which way, as it is recorded."""
        with contextlib.closing(self._record()) as record:
            (key, total, state), *_ = record.execute(
                "SELECT run_key, total_jobs, state FROM runs ORDER BY run_key DESC"
            ).fetchall()
            assert state in ("done", "cancelled"), f"the run is {state}"
            rows = record.execute(
                "SELECT coalesce(outcome, state), count(*) FROM jobs WHERE run_key = ? GROUP BY 1", (key,)
            ).fetchall()
            found = {str(outcome): int(count) for outcome, count in rows}
            assert sum(found.values()) == total, "some job has no final state"
            twice = record.execute(
                "SELECT 1 FROM attempts WHERE run_key = ? AND outcome != 'infra' GROUP BY job_number HAVING count(*) > 1", (key,)
            ).fetchall()
            assert twice == [], "some job was decided by several attempts"
            return found

    def check(self, notes: Sequence[str] = ()) -> None:
        """Fail unless nothing is left: no process here or on a host, no machine, no lock, no note but ``notes``."""
        left: list[str] = []

        def is_settled() -> bool:
            left[:] = [*self.processes_here(), *self._processes_there()]
            return not left

        try:
            wait_for(is_settled, "an end of all processes", within_s=_SETTLED_WITHIN_S)
        except AssertionError as error:
            raise AssertionError(f"{error}: {left}") from None
        assert self.lab.taken() == []
        assert self.lab.notes() == sorted(notes)
        for file in (*self.project.root.glob(".spread-reuse*"), *self.project.state.glob("*.lock")):
            with file.open("rb") as opened:
                fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def processes_here(self) -> list[str]:
        """Return what our programs left running on this computer."""
        mark = f"OUTSPREAD_STATE={self.project.state}\0".encode()
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and int(entry.name) != os.getpid():
                with contextlib.suppress(OSError):
                    if mark in (entry / "environ").read_bytes():
                        found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        return found

    def _processes_there(self) -> list[str]:
        return [
            words for host in self.hosts for words in host.processes().values() if not any(known in words for known in _RESTING)
        ]

    def _record(self) -> sqlite3.Connection:
        return sqlite3.connect(f"file:{self.project.state}/state.db?mode=ro", uri=True)

    def machines_left(self) -> list[tuple[str, str]]:
        """Return address and state of the machines that the record does not have as given back."""
        with contextlib.closing(self._record()) as record:
            return record.execute("SELECT address, state FROM machines WHERE state != 'gone'").fetchall()


def discard_command(printed: str) -> list[str]:
    """Return the command that a run named beforehand; nothing where it did not."""
    found = re.search(r"[iI]f killed, (?:discard servers|give its machines back) with: (.*)", printed)
    return found[1].split() if found else []
