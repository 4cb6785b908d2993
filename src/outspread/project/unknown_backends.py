"""Lists that name backends which the project does not have: Spread crashes on them, here they select nothing."""

from collections.abc import Iterator, Sequence

from outspread.project.glob_pattern import is_glob
from outspread.project.go_quote import go_quote
from outspread.project.model import Diagnostic, Project

_MOST_NAMES = 100  # in one list; nobody reads about more


def unknown_backends(project: Project) -> list[Diagnostic]:
    """Return a note for each such name in a list of a suite or task."""
    found: list[Diagnostic] = []
    for suite in project.suites.values():
        found.extend(_notes(project, f"suite {suite.name}", suite.backends, project.file))
        for task in suite.tasks.values():
            found.extend(_notes(project, task.name, task.backends, f"{project.root}/{task.name}/task.yaml"))
    return found


def _notes(project: Project, owner: str, names: Sequence[str], file: str) -> Iterator[Diagnostic]:
    for item in dict.fromkeys(names[:_MOST_NAMES]):
        name = item.removeprefix("+")
        if name in project.backends or name.startswith("-") or is_glob(name):
            continue
        import difflib

        close = difflib.get_close_matches(name, project.backends, n=1)
        hint = f"did you mean {close[0]}?" if close else "known: " + ", ".join(project.backends)
        yield Diagnostic(f"{owner} names backend {go_quote(name)}, which the project does not have", file, hint=hint)
