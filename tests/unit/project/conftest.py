from collections.abc import Callable
from pathlib import Path

import pytest

from outspread.project.errors import HostCommandError
from outspread.project.loader import load_project
from outspread.project.model import Flavour, Project
from outspread.project.selection import select_jobs

SPREAD_YAML = """\
project: exp
path: /root/proj
backends:
  lxd:
    systems: [ubuntu-16.04]
suites:
  tests/:
    summary: s
"""
TASK_YAML = "summary: s\nexecute: 'true'\n"


class FakeHost:
    """Answers from a table and remembers what it was asked; an answer that begins with ``!`` is a failure."""

    def __init__(self, answers: dict[str, str] | None = None) -> None:
        self.answers = answers or {}
        self.asked: list[str] = []

    def output_of(self, command: str) -> str:
        self.asked.append(command)
        answer = self.answers.get(command.strip(), f"<{command.strip()}>")
        if answer.startswith("!"):
            raise HostCommandError(answer[1:])
        return answer


@pytest.fixture
def host() -> FakeHost:
    return FakeHost()


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write files of a project; without others, the smallest valid one."""

    def write(spread: str | bytes = SPREAD_YAML, tasks: dict[str, str | bytes] | None = None) -> Path:
        files = {"spread.yaml": spread}
        files |= {f"{name}/task.yaml": text for name, text in ({"tests/a": TASK_YAML} if tasks is None else tasks).items()}
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return tmp_path

    return write


@pytest.fixture
def load(write: Callable[..., Path], host: FakeHost) -> Callable[..., Project]:
    def load(
        spread: str | bytes = SPREAD_YAML,
        tasks: dict[str, str | bytes] | None = None,
        *,
        flavour: Flavour = Flavour.SPREAD,
        extra_backend_types: frozenset[str] = frozenset(),
    ) -> Project:
        return load_project(write(spread, tasks), flavour=flavour, host=host, extra_backend_types=extra_backend_types)

    return load


@pytest.fixture
def listed(host: FakeHost) -> Callable[..., list[str]]:
    """List the names of a project's jobs."""

    def listed(project: Project, *filters: str) -> list[str]:
        return [job.name for job in select_jobs(project, filters, host=host)]

    return listed


@pytest.fixture
def spread_yaml() -> str:
    return SPREAD_YAML


@pytest.fixture
def task_yaml() -> str:
    return TASK_YAML
