"""The files of a directory whose paths match a pattern, of those that are uploaded."""

import os
from collections.abc import Callable
from pathlib import Path

from outspread.errors import UserError
from outspread.store.path_globs import path_globs


def matching_files(directory: Path, pattern: str, is_ignored: Callable[[str], bool]) -> list[str]:
    """Return paths relative to ``directory``, sorted. UserError when there is none, or one that is no text."""
    matches = path_globs([pattern])
    try:
        found = sorted(path for path in _files(directory, "", is_ignored) if matches(path))
    except OSError as error:
        raise UserError(f"cannot look for files in {directory}: {error.filename}: {error.strerror}") from error
    if not found:
        raise UserError(f"cannot make a job of each file: none in {directory.resolve()} matches {pattern}")
    for path in found:
        if not path.isprintable():
            raise UserError(f"cannot make a job of {path!r}: its name cannot be shown", hint="leave it out with --exclude")
    return found


def _files(directory: Path, prefix: str, is_ignored: Callable[[str], bool]) -> list[str]:
    """Return the paths of regular files below; links are not followed, as they are not when inputs are uploaded."""
    found: list[str] = []
    with os.scandir(directory / prefix) as entries:
        for entry in entries:
            path = prefix + entry.name
            if is_ignored(path):
                continue
            if entry.is_dir(follow_symlinks=False):
                found += _files(directory, f"{path}/", is_ignored)
            elif entry.is_file():
                found.append(path)
    return found
