"""Where ``$(HOST:...)`` commands may stand, and the project with their output instead, for a run elsewhere."""

from collections.abc import Iterable, Sequence

from msgspec import structs

from outspread.project.content_rules import expanded_content_rules
from outspread.project.environment import concerns
from outspread.project.host_commands import HostCommands
from outspread.project.host_references import OPENING, expand_host, expand_references, is_one_reference
from outspread.project.model import Backend, Environment, Job, Project, Suite, System, Task
from outspread.project.plain_variables import plain_variables


def resolve_host(project: Project, jobs: Sequence[Job], host: HostCommands) -> Project:
    """Return ``project`` with the output of the commands that ``jobs`` need in their place, and without what no job needs.

    Environments lose the keys of variants that no job has. User names, passwords, keys and the like are final then:
    do not resolve a project twice. Raises ProjectError when a command fails.
    """
    needed = _Needed(jobs)
    environment = _resolved(project.environment, "project", needed.variants, host)
    backends = {
        name: _resolved_backend(project, project.backends[name], needed, host)
        for name in project.backends
        if name in needed.systems
    }
    suites = {name: _resolved_suite(project.suites[name], needed, host) for name in project.suites if name in needed.tasks}
    return structs.replace(project, environment=environment, backends=backends, suites=suites)


def check_host_commands(project: Project, jobs: Sequence[Job], host: HostCommands) -> None:
    """Run the commands that ``jobs`` need. Raises ProjectError when one of them fails."""
    if not any(map(_has_commands, _levels_with_commands(project))):
        return
    resolve_host(project, jobs, host)
    expanded_content_rules(project, host)


class _Needed:
    """What jobs use."""

    def __init__(self, jobs: Iterable[Job]) -> None:
        self.systems: dict[str, dict[str, set[str]]] = {}  # backend -> system -> variants
        self.tasks: dict[str, dict[str, set[str]]] = {}  # suite -> task -> variants
        self.variants: set[str] = set()
        for job in jobs:
            self.variants.add(job.variant)
            self.systems.setdefault(job.backend, {}).setdefault(job.system, set()).add(job.variant)
            self.tasks.setdefault(job.suite, {}).setdefault(job.task, set()).add(job.variant)


def _levels_with_commands(project: Project) -> Iterable[Project | Backend | System | Suite | Task]:
    yield project
    for backend in project.backends.values():
        yield backend
        yield from backend.systems.values()
    for suite in project.suites.values():
        yield suite
        yield from suite.tasks.values()


def _has_commands(level: Project | Backend | System | Suite | Task) -> bool:
    if any(OPENING in value for _, value in level.environment):
        return True
    match level:
        case Project():
            return any(OPENING in text for text in (*level.include, *level.exclude, *level.rename))
        case Backend():
            return any(OPENING in text for text in (level.key, level.account, level.endpoint, level.location))
        case System():
            return any(OPENING in text for text in (level.username, level.password, level.ssh_rsa_key, level.ssh_key_pass))
        case _:
            return False


def _resolved(environment: Environment, owner: str, variants: set[str], host: HostCommands) -> Environment:
    return tuple(
        [
            (key, expand_host(value, host, owner=owner))
            for key, value in environment
            if "/" not in key or any(concerns(key, variant) for variant in variants)
        ]
    )


def _resolved_suite(suite: Suite, needed: _Needed, host: HostCommands) -> Suite:
    used = needed.tasks[suite.name]
    variants = set().union(*used.values())
    tasks = {
        name: structs.replace(task, environment=_resolved(task.environment, name, used[name], host)) if task.environment else task
        for name, task in suite.tasks.items()
        if name in used
    }
    return structs.replace(suite, environment=_resolved(suite.environment, f"suite {suite.name}", variants, host), tasks=tasks)


def _resolved_backend(project: Project, backend: Backend, needed: _Needed, host: HostCommands) -> Backend:
    used = needed.systems[backend.name]
    owner = f'backend "{backend.name}"'
    variants = set().union(*used.values())
    environment = _resolved(backend.environment, owner, variants, host)
    variables: dict[str, str] | None = None
    systems: dict[str, System] = {}
    for name, system in backend.systems.items():
        if name not in used:
            continue
        if any("$" in text for text in (system.username, system.password, system.ssh_rsa_key, system.ssh_key_pass)):
            variables = variables or plain_variables([("project", project.environment), (owner, backend.environment)], host)
        systems[name] = _resolved_system(system, used[name], variables or {}, host)
    return structs.replace(
        backend,
        environment=environment,
        systems=systems,
        key=expand_host(backend.key, host, owner=f"{backend.name} backend key").strip(),
        account=expand_host(backend.account, host, owner=f"{backend.name} backend account").strip(),
        endpoint=expand_host(backend.endpoint, host, owner=f"{backend.name} backend endpoint").strip(),
        location=expand_host(backend.location, host, owner=f"{backend.name} backend location").strip(),
    )


def _resolved_system(system: System, variants: set[str], variables: dict[str, str], host: HostCommands) -> System:
    owner = f"{system.backend}:{system.name}"

    def expanded(text: str, what: str) -> str:
        return expand_references(text, variables, host, owner=f"{owner} {what}")

    return structs.replace(
        system,
        environment=_resolved(system.environment, owner, variants, host),
        username=expanded(system.username, "username"),
        # A password is full of dollars: only one that is nothing but a reference is taken for one.
        password=expanded(system.password, "password") if is_one_reference(system.password) else system.password,
        ssh_rsa_key=expanded(system.ssh_rsa_key, "sshkey"),
        ssh_key_pass=expanded(system.ssh_key_pass, "sshkeypass"),
    )
