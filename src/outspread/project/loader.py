"""Load a project: its ``spread.yaml``, then the tasks of its suites."""

import posixpath
from pathlib import Path

from msgspec import structs

from outspread.project.errors import ProjectError
from outspread.project.field_reader import FieldReader
from outspread.project.host_commands import HostCommands
from outspread.project.host_references import expand_host
from outspread.project.model import Diagnostic, Flavour, Project, Suite
from outspread.project.project_file import read_project_file
from outspread.project.spread_file import SuiteDraft, check_suite, read_spread_file
from outspread.project.suite_directory import task_files
from outspread.project.task_file import read_task
from outspread.project.unknown_backends import unknown_backends


def load_project(
    start: Path,
    *,
    flavour: Flavour = Flavour.SPREAD,
    host: HostCommands,
    extra_backend_types: frozenset[str] = frozenset(),
) -> Project:
    """Return the project of directory ``start``, or of the closest directory above that has one.

    Types of backends beyond those that are always known are the caller's to name. ``path`` is the only thing that
    ``host`` is asked for. Raises ProjectError at the first thing that is not valid; what is only odd is in
    ``diagnostics``.
    """
    file, data = read_project_file(start)
    diagnostics: list[Diagnostic] = []
    found, reader = read_spread_file(
        data, file=file, flavour=flavour, extra_backend_types=extra_backend_types, diagnostics=diagnostics
    )
    project = found.project
    suites = {draft.suite.name: _load_suite(draft, reader, project, diagnostics) for draft in found.suites}
    project = structs.replace(project, suites=suites, path=_machine_path(project, host))
    return structs.replace(project, diagnostics=(*diagnostics, *unknown_backends(project)))


def _load_suite(draft: SuiteDraft, reader: FieldReader, project: Project, diagnostics: list[Diagnostic]) -> Suite:
    check_suite(reader, draft)
    suite = draft.suite
    try:
        tasks = [
            read_task(data, suite=suite.name, directory=name, file=file, flavour=project.flavour, diagnostics=diagnostics)
            for name, file, data in task_files(suite.name, project.root)
        ]
    except ProjectError as error:
        raise error if error.file else reader.error(error.message, draft.line, hint=error.hint) from error
    if not tasks:
        reader.note(f"suite {suite.name} has no tasks", draft.line)
    return structs.replace(suite, tasks={task.name: task for task in tasks})


def _machine_path(project: Project, host: HostCommands) -> str:
    """Return where the project lives on a machine."""
    path = posixpath.normpath(expand_host(project.path, host, owner="remote project path"))
    if path.startswith("//"):  # which normpath leaves alone
        path = path[1:]
    if not path.startswith("/") or path == "/":
        raise ProjectError(f"remote project path must be absolute and not /: {path}", file=project.file, hint="such as /project")
    return path
