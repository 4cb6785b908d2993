"""Jobs as people write them: a command, lines, files that match a pattern, or a document. Pure.

A draft still names the directory of its inputs; ``submission`` uploads it and puts its digest into the job.
"""

import hashlib
import re
import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct, structs

from outspread.controller.command_values import CommandJob
from outspread.errors import UserError

#: So much is read of a document, or of lines.
INPUT_LIMIT_BYTES: Final = 64 * 1024 * 1024
_NAME_CHARACTERS: Final = 200
_MARK_CHARACTERS: Final = 8
_PLACE: Final = "{}"
_DIGEST: Final = re.compile(r"[0-9a-f]{64}/[0-9]+", re.ASCII)


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
    return Draft(structs.replace(like, name=_name(shlex.join(command)), command=tuple(command)), inputs)


def from_lines(content: bytes, *, like: CommandJob, inputs: Path | None) -> list[Draft]:
    """Return a draft for each line that is not empty and no comment, to be run by a shell. UserError for what is no text."""
    _check_size(content)
    try:
        lines = content.decode().split("\n")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UserError(f"cannot read commands: line {line} is not UTF-8") from error
    commands = [line.strip() for line in lines]
    wanted = [command for command in commands if command and not command.startswith("#")]
    jobs = [structs.replace(like, name=_name(command), command=("/bin/sh", "-c", command)) for command in wanted]
    return [Draft(job, inputs) for job in _told_apart(jobs)]


def from_files(paths: Iterable[str], command: Sequence[str], *, like: CommandJob, inputs: Path) -> list[Draft]:
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
    _check_size(content)
    try:
        if content.lstrip()[:1] == b"[":
            document = Document(msgspec.json.decode(content, type=tuple[CommandJob, ...]))
        else:
            document = msgspec.json.decode(content, type=Document)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read jobs: {error}", hint="docs/reference/jobs-file.md says what jobs have") from error
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


def _check_size(content: bytes) -> None:
    if len(content) > INPUT_LIMIT_BYTES:
        raise UserError(f"cannot read jobs: there is more than {INPUT_LIMIT_BYTES // 1024**2} MiB of them")


def _with_directory(job: CommandJob, beside: Path) -> Draft:
    if not job.inputs or _DIGEST.fullmatch(job.inputs):
        return Draft(job)
    return Draft(structs.replace(job, inputs=""), beside / job.inputs)


def _name(command: str) -> str:
    """Return a name that only this command has, and people can read."""
    name = "".join(character if character.isprintable() else " " for character in command)
    if name == command and len(name) <= _NAME_CHARACTERS:
        return name
    mark = hashlib.sha256(command.encode(errors="surrogatepass")).hexdigest()[:_MARK_CHARACTERS]
    return f"{name[: _NAME_CHARACTERS - _MARK_CHARACTERS - 4]}... {mark}"


def _told_apart(jobs: Iterable[CommandJob]) -> list[CommandJob]:
    """Return the jobs with a number after names that come again."""
    jobs = list(jobs)
    taken = {job.name for job in jobs}
    seen: dict[str, int] = {}
    apart: list[CommandJob] = []
    for job in jobs:
        if job.name not in seen:
            seen[job.name] = 1
            apart.append(job)
            continue
        while (name := f"{job.name} #{seen[job.name] + 1}") in taken:
            seen[job.name] += 1
        taken.add(name)
        apart.append(structs.replace(job, name=name, key=job.name))
    return apart
