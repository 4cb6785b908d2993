from collections.abc import Callable

import msgspec
import pytest

from outspread.project.content_rules import ContentRules, expanded_content_rules
from outspread.project.environment import job_environment
from outspread.project.errors import ProjectError
from outspread.project.host_commands import no_host_commands
from outspread.project.host_resolution import resolve_host
from outspread.project.model import Project
from outspread.project.selection import select_jobs

Load = Callable[..., Project]

SPREAD = """\
project: exp
path: /root/proj
environment: {A: '$(HOST:a)', B: '$A/b', V/x: '$(HOST:never)', U: user}
include: ['$B', '${NOPE}x', '$(HOST:inc)']
exclude: ['$A$']
rename: ['s,^,$B,S']
backends:
  lxd:
    key: ' $(HOST:key) '
    environment: {E: '$(HOST:be)'}
    systems:
      - ubuntu-16.04: {username: '$U-$E', password: '$(HOST:pw)', environment: {S: '$(HOST:sys)'}}
      - debian-12: {username: '$(HOST:unused)', password: 'a$A'}
  qemu:
    key: $(HOST:unused)
    systems: [ubuntu-16.04]
suites:
  tests/: {summary: s, environment: {T: '$(HOST:suite)'}}
  more/: {summary: s, environment: {T: '$(HOST:unused)'}}
"""


@pytest.fixture
def project(load: Load, task_yaml: str) -> Project:
    tasks = {"tests/a": task_yaml + "environment: {X: '$(HOST:task)'}\n", "tests/b": task_yaml, "more/c": task_yaml}
    return load(SPREAD, tasks)


def test_only_what_the_jobs_need_is_left_and_resolved(project: Project, host: object) -> None:
    jobs = [
        job
        for job in select_jobs(project, ["lxd:ubuntu-16.04:tests/a"], host=no_host_commands)
        if not job.variant or job.variant == "x"
    ]
    jobs = [msgspec.structs.replace(job, variant="") for job in jobs]
    resolved = resolve_host(project, jobs, host)  # type: ignore[arg-type]
    assert "unused" not in host.asked  # type: ignore[attr-defined]
    assert "never" not in host.asked  # type: ignore[attr-defined]
    assert list(resolved.backends) == ["lxd"]
    assert list(resolved.backends["lxd"].systems) == ["ubuntu-16.04"]
    assert {name: list(suite.tasks) for name, suite in resolved.suites.items()} == {"tests/": ["tests/a"]}
    assert resolved.environment == (("A", "<a>"), ("B", "$A/b"), ("U", "user"))
    assert resolved.backends["lxd"].key == "<key>"
    system = resolved.backends["lxd"].systems["ubuntu-16.04"]
    assert (system.username, system.password, system.environment) == ("user-<be>", "<pw>", (("S", "<sys>"),))
    assert dict(job_environment(resolved, jobs[0], no_host_commands))["X"] == "<task>"
    assert job_environment(resolved, jobs[0], no_host_commands) == job_environment(project, jobs[0], host)  # type: ignore[arg-type]


def test_a_password_with_a_dollar_in_it_is_no_reference(project: Project, host: object) -> None:
    jobs = select_jobs(project, ["lxd:debian-12:tests/b"], host=host)  # type: ignore[arg-type]
    assert resolve_host(project, jobs, host).backends["lxd"].systems["debian-12"].password == "a$A"  # type: ignore[arg-type]


def test_a_resolved_project_survives_json(project: Project, host: object) -> None:
    resolved = resolve_host(project, select_jobs(project, [], host=host), host)  # type: ignore[arg-type]
    assert msgspec.json.decode(msgspec.json.encode(resolved), type=Project) == resolved


@pytest.mark.parametrize(
    ("command", "owner"),
    [
        ("key", "lxd backend key"),
        ("pw", "lxd:ubuntu-16.04 password"),
        ("unused", "lxd:debian-12 username"),
        ("be", 'backend "lxd"'),
        ("sys", "lxd:ubuntu-16.04"),
        ("suite", "suite tests/"),
        ("task", "tests/a"),
    ],
)
def test_a_failure_names_the_owner(project: Project, host: object, command: str, owner: str) -> None:
    host.answers = {command: "!no"}  # type: ignore[attr-defined]
    with pytest.raises(ProjectError) as caught:
        select_jobs(project, ["lxd:tests/"], host=host)  # type: ignore[arg-type]
    assert str(caught.value) == f"$(HOST:{command}) in {owner} environment returned error: no"


def test_content_rules_see_the_environment_of_the_project_only(project: Project, host: object) -> None:
    assert expanded_content_rules(project, host) == ContentRules(  # type: ignore[arg-type]
        include=("<a>/b", "x", "<inc>"), exclude=("<a>$",), rename=("s,^,<a>/b,S",)
    )
