"""The installed programs, run as a user runs them, on projects made for each test."""

import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from tests.hosts.host import Host, why_no_hosts

PROGRAMS = Path(sys.executable).parent
EXAMPLES = Path(__file__).parents[3] / "examples"

SPREAD_YAML = """\
project: made
path: /srv/made
backends:
    sandbox:
        systems:
            - this-host:
                workers: {workers}
suites:
    tests/:
        summary: Made for a test
"""


class Ended(NamedTuple):
    """How a program ended."""

    code: int
    out: str
    err: str


class Person:
    """Somebody at a terminal on which a program runs: types, waits for what is shown, changes the window."""

    def __init__(self, argv: list[str], *, cwd: Path, env: Mapping[str, str], rows: int = 30, columns: int = 100) -> None:
        self.terminal, self._theirs = pty.openpty()
        self.resize(rows, columns, tell=False)
        self.before = termios.tcgetattr(self._theirs)
        self.all = b""  # that was ever shown
        self._place = 0
        self.process = subprocess.Popen(
            argv,
            cwd=cwd,
            env=env,
            stdin=self._theirs,
            stdout=self._theirs,
            stderr=self._theirs,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509 - there are no threads
        )

    def resize(self, rows: int, columns: int, *, tell: bool = True) -> None:
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        if tell:
            self.process.send_signal(signal.SIGWINCH)

    def types(self, text: str) -> None:
        os.write(self.terminal, text.encode())

    def sees(self, text: str, *, within_s: float = 20) -> str:
        """Wait until ``text`` is shown after what was seen before; return all that was, up to it."""
        wanted = text.encode()
        deadline = time.monotonic() + within_s
        while (found := self.all.find(wanted, self._place)) < 0:
            left_s = deadline - time.monotonic()
            assert left_s > 0, f"{text!r} is not in {self.all[self._place :].decode(errors='replace')}"
            if select.select([self.terminal], [], [], min(left_s, 0.1))[0]:
                self.all += os.read(self.terminal, 65536)
        seen, self._place = self.all[self._place : found + len(wanted)], found + len(wanted)
        return seen.decode(errors="replace")

    def prompted(self) -> str:
        """Wait for the prompt of a shell on a machine."""
        return self.sees("# ")

    def ends(self, *, within_s: float = 20) -> int:
        """Wait for the end of the program; check that the terminal is as it was, and return the exit code."""
        deadline = time.monotonic() + within_s
        while self.process.poll() is None:
            assert time.monotonic() < deadline, self.all[self._place :].decode(errors="replace")
            if select.select([self.terminal], [], [], 0.02)[0]:
                self.all += os.read(self.terminal, 65536)
        while select.select([self.terminal], [], [], 0)[0]:
            self.all += os.read(self.terminal, 65536)
        assert termios.tcgetattr(self._theirs) == self.before
        return self.process.returncode

    @property
    def text(self) -> str:
        return self.all.decode(errors="replace").replace("\r\n", "\n")

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.vanishes()

    def vanishes(self) -> None:
        """Close the terminal, as when its window is. Idempotent."""
        for end in (self.terminal, self._theirs):
            if end >= 0:
                os.close(end)
        self.terminal = self._theirs = -1


class Project:
    """A project on disk, and what is run in it. State is kept apart from the user's."""

    def __init__(self, root: Path, state: Path) -> None:
        self.root = root
        self.state = state

    def environment(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        plain = {name: value for name, value in os.environ.items() if not name.startswith(("OUTSPREAD_", "GITHUB_", "TRAVIS"))}
        return plain | {
            "OUTSPREAD_STATE": str(self.state),
            "TERM": "dumb",
            "PATH": f"{PROGRAMS}:{os.environ['PATH']}",
            **(extra or {}),
        }

    def file(self, name: str, text: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def task(self, name: str, text: str) -> None:
        self.file(f"tests/{name}/task.yaml", f"summary: {name}\n{text}")

    def start(self, program: str, *arguments: str, env: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [PROGRAMS / program, *arguments],
            cwd=self.root,
            env=self.environment(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="surrogateescape",
        )

    def on_terminal(self, program: str, *arguments: str, term: str = "dumb") -> Person:
        return Person([str(PROGRAMS / program), *arguments], cwd=self.root, env=self.environment({"TERM": term}))

    def run(self, program: str, *arguments: str, env: Mapping[str, str] | None = None, within_s: float = 60) -> Ended:
        with self.start(program, *arguments, env=env) as process:
            try:
                out, err = process.communicate(timeout=within_s)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
            return Ended(process.returncode, out, err)

    def machines(self) -> list[dict[str, Any]]:
        """Return what ``outspread machines`` says of the machines in the project's record: others may be about."""
        listed = self.run("outspread", "machines", "--json")
        assert listed.code == 0, listed.err
        found: list[dict[str, Any]] = json.loads(listed.out)
        return [machine for machine in found if machine["use"] != "unknown"]


LAB_YAML = """\
project: made
path: /srv/made
backends:
    lab:
        type: adhoc
        allocate: |
            cd {lab}
            for host in hosts/*; do
                address=$(basename "$host")
                if (set -C; echo "$OUTSPREAD_MACHINE_ID" > taken/$address) 2> /dev/null; then
                    {before}
                    rm -rf /proc/$(cat "$host")/root/srv/made
                    ADDRESS "$address"
                    {after}
                    exit
                fi
            done
            ERROR every host is taken
        discard: |
            {discard}
        systems:
            - debian-12:
                username: {username}
                password: {password}
                workers: {workers}
suites:
    tests/:
        summary: Made for a test
"""


class Lab:
    """Hosts that a project's scripts take and give back; what is taken is a file in ``taken``."""

    def __init__(self, directory: Path, project: Project, hosts: Sequence[Host]) -> None:
        self.directory = directory
        self.project = project
        self.hosts = hosts
        for name in ("hosts", "taken"):
            (directory / name).mkdir(parents=True)
        self._note_hosts()
        self.write()

    def rebooted(self, times: int = 1) -> None:
        """Take note that every host has booted so many times more."""
        for host in self.hosts:
            for _ in range(times):
                host.wait_for_boot()
        self._note_hosts()

    def _note_hosts(self) -> None:
        for host in self.hosts:
            (self.directory / "hosts" / host.spread_address).write_text(str(host.init))

    def write(self, **changes: object) -> None:
        """Write the project's file."""
        fields: dict[str, object] = {
            "lab": self.directory,
            "before": ":",
            "after": ":",
            "discard": f"rm {self.directory}/taken/$SPREAD_SYSTEM_ADDRESS",
            "username": "root",
            "password": self.hosts[0].password if self.hosts else "none",
            "workers": len(self.hosts),
        }
        self.project.file("spread.yaml", LAB_YAML.format(**fields | changes))

    def taken(self) -> list[str]:
        return sorted(path.name for path in (self.directory / "taken").iterdir())

    def notes(self) -> list[str]:
        """Return the reuse files beside the project."""
        return sorted(path.name for path in self.project.root.glob(".spread-reuse*"))


@pytest.fixture
def lab(tmp_path: Path, project: Project, new_host: Callable[..., Host]) -> Callable[[int], Lab]:
    """Make a lab of so many hosts, and the project that runs there."""
    return lambda count: Lab(tmp_path / "lab", project, [new_host() for _ in range(count)])


@pytest.fixture(scope="module")
def shared_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A lab of one host for all tests of a module: they look at runs that are made once, or leave nothing behind."""
    if reason := why_no_hosts():
        pytest.skip(reason)
    directory = tmp_path_factory.mktemp("shared")
    with Host() as host:
        yield Lab(directory / "lab", _new_project(directory), [host])


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = _new_project(tmp_path)
    made.file("spread.yaml", SPREAD_YAML.format(workers=1))
    return made


def _new_project(directory: Path) -> Project:
    root = directory / "project"
    root.mkdir()
    return Project(root, directory / "state")


@pytest.fixture
def on_terminal(project: Project) -> Iterator[Callable[..., Person]]:
    """Start a program of ours on a terminal; it is ended with the test."""
    persons: list[Person] = []

    def start(program: str, *arguments: str, term: str = "dumb", of: Project = project) -> Person:
        persons.append(of.on_terminal(program, *arguments, term=term))
        return persons[-1]

    yield start
    for person in persons:
        person.close()


@pytest.fixture
def with_workers(project: Project) -> Callable[[int], None]:
    def write(workers: int) -> None:
        project.file("spread.yaml", SPREAD_YAML.format(workers=workers))

    return write


@pytest.fixture
def example(tmp_path: Path) -> Callable[[str], Project]:
    return lambda name: Project(EXAMPLES / name, tmp_path / "state")
