"""The jobs that a command line asks for, whatever the form: read here, made into drafts by ``client.drafts``."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from msgspec import Struct

from outspread.client import drafts
from outspread.client.drafts import INPUT_LIMIT_BYTES, Draft
from outspread.client.ignored_files import ignored_files
from outspread.client.matching_files import matching_files
from outspread.controller.command_values import CommandJob
from outspread.errors import UserError


class WantedJobs(Struct, frozen=True):
    """Drafts, and what is known of their run: from a document, or by where the inputs are."""

    drafts: list[Draft]
    project: str
    name: str = ""
    stop_after: int = 0


def wanted_jobs(
    words: Sequence[str],
    *,
    document: Path | None,
    pattern: str | None,
    inputs: Path | None,
    excluded: Sequence[str],
    like: CommandJob,
    repeat: int,
) -> WantedJobs:
    """Return the jobs of a document, of a command for each file that matches ``pattern``, of standard input, or of a command.

    UserError when there are none.
    """
    if document is not None:
        told, found = drafts.from_document(_read(document), beside=document.parent)
        return WantedJobs(
            _repeated(found, repeat), told.project or _project(document.parent), name=told.name, stop_after=told.stop_after
        )
    if pattern is not None:
        inputs = inputs or Path()
        paths = matching_files(inputs, pattern, ignored_files(inputs, excluded))
        found = drafts.from_files(paths, words, like=like, inputs=inputs)
    elif tuple(words) == ("-",):
        found = drafts.from_lines(_read_bounded(sys.stdin.buffer), like=like, inputs=inputs)
    else:
        found = [drafts.from_command(words, like=like, inputs=inputs)]
    return WantedJobs(_repeated(found, repeat), _project(inputs or Path()))


def _repeated(found: list[Draft], repeat: int) -> list[Draft]:
    if not found:
        raise UserError("cannot submit: there are no jobs")
    return drafts.repeated(found, repeat)


def _project(directory: Path) -> str:
    return directory.resolve().name


def _read(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            return _read_bounded(opened)
    except OSError as error:
        raise UserError(f"cannot read {file}: {error.strerror}") from error


def _read_bounded(file: IO[bytes]) -> bytes:
    """Return the content, or so much of it that it is seen to be too long."""
    return file.read(INPUT_LIMIT_BYTES + 1)
