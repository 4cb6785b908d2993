"""The installed programs, run as a user runs them, on projects made for each test."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

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


class Project:
    """A project on disk, and what is run in it. State is kept apart from the user's."""

    def __init__(self, root: Path, state: Path) -> None:
        self.root = root
        self.state = state

    def environment(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        plain = {name: value for name, value in os.environ.items() if not name.startswith(("OUTSPREAD_", "GITHUB_", "TRAVIS"))}
        return plain | {"OUTSPREAD_STATE": str(self.state), "TERM": "dumb"} | dict(extra or {})

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

    def run(self, program: str, *arguments: str, env: Mapping[str, str] | None = None, within_s: float = 60) -> Ended:
        with self.start(program, *arguments, env=env) as process:
            try:
                out, err = process.communicate(timeout=within_s)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
            return Ended(process.returncode, out, err)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    root = tmp_path / "project"
    root.mkdir()
    made = Project(root, tmp_path / "state")
    made.file("spread.yaml", SPREAD_YAML.format(workers=1))
    return made


@pytest.fixture
def with_workers(project: Project) -> Callable[[int], None]:
    def write(workers: int) -> None:
        project.file("spread.yaml", SPREAD_YAML.format(workers=workers))

    return write


@pytest.fixture
def example(tmp_path: Path) -> Callable[[str], Project]:
    return lambda name: Project(EXAMPLES / name, tmp_path / "state")
