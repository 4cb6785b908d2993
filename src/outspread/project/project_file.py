"""Find the file that makes a directory a project."""

import os
from pathlib import Path

from outspread.project.bounded_file import UnreadableFileError, read_bounded
from outspread.project.errors import ProjectError

_NAMES = ("spread.yaml", ".spread.yaml")


def find_project_file(start: Path) -> Path:
    """Return the project file of ``start`` or of the closest directory above. Raises ProjectError."""
    return Path(read_project_file(start)[0])


def read_project_file(start: Path) -> tuple[str, bytes]:
    """Return path and content of the project file. One that cannot be read counts as absent, with its directory."""
    unreadable = ""
    directory = os.path.abspath(start)  # noqa: PTH100 - follows no link, as Spread
    while True:
        for name in _NAMES:
            path = os.path.join(directory, name)  # noqa: PTH118 - Path takes longer than the rest of this
            try:
                data = read_bounded(path)
            except UnreadableFileError as error:
                unreadable = unreadable or str(error)
                break
            if data is not None:
                return path, data
        above = os.path.dirname(directory)  # noqa: PTH120
        if above == directory:
            hint = unreadable or "go to a directory with a spread.yaml, or below one"
            raise ProjectError(f"cannot load project file from {start}: cannot find spread.yaml or .spread.yaml", hint=hint)
        directory = above
