"""From what a command line says to a project and its jobs, with the warnings that belong to it."""

import sys
from pathlib import Path
from typing import NamedTuple

from msgspec import structs

from outspread.cli.diagnostics_view import refuse_as_spread, refuse_diagnostics, warning_lines
from outspread.cli.sandbox_option import with_sandbox
from outspread.errors import UsageError, UserError
from outspread.project.errors import ProjectError
from outspread.project.host_commands import HostCommands, ShellHostCommands
from outspread.project.host_resolution import resolve_host
from outspread.project.loader import load_project
from outspread.project.model import Flavour, Job, Project
from outspread.project.selection import select_jobs


class Wish(NamedTuple):
    """What is to be selected, and how much to say about it.

    ``running``: the jobs are to be run, not only named. ``as_spread``: what Spread refuses is refused.
    """

    filters: tuple[str, ...]
    directory: str = "."
    flavour: str = "spread"
    sandbox: bool = False
    strict: bool = False
    warn: bool = True
    every_warning: bool = False
    running: bool = False
    as_spread: bool = False


class Selection(NamedTuple):
    """A project, the jobs that were asked for, and what answers its ``$(HOST:...)`` commands."""

    project: Project
    jobs: tuple[Job, ...]
    host: HostCommands


def select(wish: Wish) -> Selection:
    """Load the project, print its warnings on standard error, and select. Raises UserError in many ways."""
    host = ShellHostCommands()
    project = _judged(wish, host)
    jobs = tuple(select_jobs(project, wish.filters, host=host))
    if wish.running and 0 < project.tasks_limit < len(jobs):
        raise UserError(
            f"cannot run {len(jobs)} jobs: tasks-limit of the project is {project.tasks_limit}",
            hint="choose fewer by a filter, or change tasks-limit in spread.yaml",
        )
    return Selection(project, jobs, host)


def project_and_systems(wish: Wish) -> tuple[Project, frozenset[tuple[str, str]] | None]:
    """Return the project and the ``(backend, system)`` of the jobs that its filters select; None, for all, without a filter.

    What the project says of these systems has the output of its ``$(HOST:...)`` commands. Without a filter, what stops a
    run (no job, a command that fails) does not matter.
    """
    host = ShellHostCommands()
    project = _judged(wish, host)
    try:
        jobs = tuple(select_jobs(project, wish.filters, host=host))
        resolved = resolve_host(project, jobs, host).backends
    except ProjectError:
        if wish.filters:
            raise
        return project, None
    backends = dict(project.backends)
    for name, backend in resolved.items():
        backends[name] = structs.replace(backend, systems={**backends[name].systems, **backend.systems})
    systems = frozenset((job.backend, job.system) for job in jobs) if wish.filters else None
    return structs.replace(project, backends=backends), systems


def _judged(wish: Wish, host: HostCommands) -> Project:
    """Return the project, once its warnings have been told or refused."""
    project = _loaded(wish, host)
    if wish.as_spread:
        refuse_as_spread(project.diagnostics)
    if wish.sandbox:
        from outspread.machines.sandbox.backend import host_system_name

        project = with_sandbox(project, host_system_name())
    refuse_diagnostics(project.diagnostics, strict=wish.strict, running=wish.running)
    if wish.warn:
        for line in warning_lines(project.diagnostics, every=wish.every_warning):
            print(line, file=sys.stderr)
    return project


def _loaded(wish: Wish, host: HostCommands) -> Project:
    start, flavour = Path(wish.directory), _flavour(wish.flavour)
    try:
        return load_project(start, flavour=flavour, host=host)
    except ProjectError:
        # Perhaps for a type of backend that an installed package offers: looking for those takes longer than loading.
        from outspread.machines.backends import plugged_in_types

        plugged_in = plugged_in_types()
        if not plugged_in:
            raise
        return load_project(start, flavour=flavour, host=host, extra_backend_types=plugged_in)


def _flavour(name: str) -> Flavour:
    try:
        return Flavour(name)
    except ValueError:
        raise UsageError(f"cannot follow the rules of {name}: there are {' and '.join(Flavour)}") from None
