"""The tasks of a suite: the directories in its directory that hold a ``task.yaml``."""

import os
from collections.abc import Iterator
from stat import S_ISDIR

from outspread.project.bounded_file import UnreadableFileError, cause_of, read_bounded
from outspread.project.errors import ProjectError


def task_files(suite: str, root: str) -> Iterator[tuple[str, str, bytes]]:
    """Yield directory name, path and content of each task file of ``suite``, by name.

    Raises ProjectError when the directory or one of the files cannot be read, or an entry leads nowhere.
    """
    directory = os.path.normpath(f"{root}/{suite}")
    try:
        with os.scandir(directory) as entries:
            found = sorted((entry for entry in entries if _may_hold_task(entry, suite)), key=lambda entry: entry.name)
    except (OSError, ValueError) as error:
        raise ProjectError(
            f"cannot list suite {suite}: open {directory}: {cause_of(error)}", hint="mend the suite's key, or make its directory"
        ) from error
    for entry in found:
        path = f"{entry.path}/task.yaml"
        try:
            data = read_bounded(path)
        except UnreadableFileError as error:
            raise ProjectError(str(error), file=path) from error
        if data is not None:
            yield entry.name, path, data


def _may_hold_task(entry: os.DirEntry[str], suite: str) -> bool:
    """Tell whether ``entry`` is a directory, or a link to one; a link that leads nowhere is an error unless it is hidden."""
    if not entry.is_symlink():
        return entry.is_dir()
    try:
        return S_ISDIR(entry.stat().st_mode)
    except OSError as error:
        if entry.name.startswith("."):  # editors keep locks as hidden links to nowhere
            return False
        raise ProjectError(
            f"cannot list suite {suite}: stat {entry.path}: {cause_of(error)}",
            file=entry.path,
            hint="remove the link, or mend what it points to",
        ) from error
