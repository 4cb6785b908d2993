"""What a shell may offer while somebody types a filter."""

from pathlib import Path

from outspread.errors import UserError
from outspread.project.host_commands import no_host_commands
from outspread.project.loader import load_project
from outspread.project.model import Flavour, Project


def filters_beginning(directory: str, beginning: str) -> list[str]:
    """Return filters of the project in ``directory`` that begin so, sorted; none when there is no proper project.

    Shells take colons for the ends of words: only parts of names are offered, each of which is a filter by itself.
    """
    try:
        project = load_project(Path(directory), flavour=Flavour.SPREAD, host=no_host_commands)
    except UserError:
        return []  # nowhere to complain while somebody types
    return sorted(part for part in _parts(project, tasks="/" in beginning) if part.startswith(beginning))


def _parts(project: Project, *, tasks: bool) -> set[str]:
    """Return names of backends, systems and suites; with ``tasks`` of these too, of which there may be thousands."""
    parts = set(project.backends) | set(project.suites)
    for backend in project.backends.values():
        parts.update(backend.systems)
    if tasks:
        for suite in project.suites.values():
            parts.update(suite.tasks)
    return parts
