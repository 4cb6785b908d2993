"""Jobs as people write them: from a command, lines, files that match a pattern, or a document. Pure.

A draft still names the directory of its inputs; ``submission`` uploads it and puts its digest in the job.
"""

import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct, structs

from outspread.controller.command_values import CommandJob
from outspread.errors import UserError

_NAME_CHARACTERS: Final = 200
_PLACE: Final = "{}"
_DOCUMENT_LIMIT_BYTES: Final = 64 * 1024 * 1024


class Draft(Struct, frozen=True):
    """A job, and the directory of its inputs; None: the job names a digest itself, or has none."""

    job: CommandJob
    inputs: Path | None = None


class Document(Struct, frozen=True, forbid_unknown_fields=True):
    """What a file of jobs may say."""

    jobs: tuple[CommandJob, ...]
    name: str = ""
    project: str = ""
    stop_after: int = 0


def from_command(command: Sequence[str], *, like: CommandJob, inputs: Path | None) -> Draft:
    """Return the draft of one command; ``like`` has what is common to all jobs."""
    return Draft(structs.replace(like, name=_short(shlex.join(command)), command=tuple(command)), inputs)


def from_lines(lines: Iterable[str], *, like: CommandJob, inputs: Path | None) -> list[Draft]:
    """Return a draft for each line that is not empty and no comment, run by a shell."""
    commands = [line.strip() for line in lines]
    named = [(_short(command), command) for command in commands if command and not command.startswith("#")]
    jobs = [structs.replace(like, name=name, command=("/bin/sh", "-c", command)) for name, command in named]
    return [Draft(job, inputs) for job in _told_apart(jobs)]


def from_files(paths: Sequence[str], command: Sequence[str], *, like: CommandJob, inputs: Path | None) -> list[Draft]:
    """Return a draft for each path, which stands where ``command`` has ``{}``; UserError when it has none."""
    if not any(_PLACE in word for word in command):
        raise UserError(f"cannot make a job of each file: the command has no {_PLACE}", hint=f"as in: pytest -q {_PLACE}")
    return [
        Draft(structs.replace(like, name=path, command=tuple(word.replace(_PLACE, path) for word in command)), inputs)
        for path in paths
    ]


def from_document(content: bytes, *, beside: Path) -> tuple[Document, list[Draft]]:
    """Return a document and its drafts; their inputs may be directories relative to ``beside``.

    UserError, with the place in the document, when it is none.
    """
    if len(content) > _DOCUMENT_LIMIT_BYTES:
        raise UserError(f"cannot read jobs: the document has {len(content)} bytes; the limit is {_DOCUMENT_LIMIT_BYTES}")
    try:
        if content.lstrip()[:1] == b"[":
            document = Document(msgspec.json.decode(content, type=tuple[CommandJob, ...]))
        else:
            document = msgspec.json.decode(content, type=Document)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read jobs: {error}", hint="see docs/reference/jobs-file.md") from error
    return document, [_with_directory(job, beside) for job in document.jobs]


def repeated(drafts: Iterable[Draft], times: int) -> list[Draft]:
    """Return each draft so many times, under names of their own; their durations are remembered together."""
    if times == 1:
        return list(drafts)
    return [
        Draft(structs.replace(draft.job, name=f"{draft.job.name} #{time}", key=draft.job.key or draft.job.name), draft.inputs)
        for draft in drafts
        for time in range(1, times + 1)
    ]


def _with_directory(job: CommandJob, beside: Path) -> Draft:
    hash_, _, size = job.inputs.partition("/")
    if not job.inputs or (len(hash_) == 64 and size.isdecimal() and not set(hash_) - set("0123456789abcdef")):
        return Draft(job)
    return Draft(structs.replace(job, inputs=""), beside / job.inputs)


def _short(name: str) -> str:
    name = "".join(character if character.isprintable() else " " for character in name)
    return name if len(name) <= _NAME_CHARACTERS else f"{name[: _NAME_CHARACTERS - 3]}..."


def _told_apart(jobs: Iterable[CommandJob]) -> list[CommandJob]:
    """Return the jobs with a number after names that come again."""
    seen: dict[str, int] = {}
    apart: list[CommandJob] = []
    for job in jobs:
        seen[job.name] = count = seen.get(job.name, 0) + 1
        apart.append(job if count == 1 else structs.replace(job, name=f"{job.name} #{count}", key=job.name))
    return apart
