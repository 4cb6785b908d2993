"""Whether a submission can be accepted; UserErrors that name the job and what is wrong with it. Pure."""

import hashlib
import math
import re
from collections.abc import Sequence
from typing import Final

import msgspec

from outspread.controller.command_values import CommandJob, CommandRun
from outspread.errors import UserError

#: A run's id names a file.
_RUN_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", re.ASCII)
_DIGEST: Final = re.compile(r"[0-9a-f]{64}/(0|[1-9][0-9]{0,15})", re.ASCII)
_ENVIRONMENT_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)

JOBS_LIMIT: Final = 1_000_000
NAME_LIMIT_CHARACTERS: Final = 400
RETRIES_LIMIT: Final = 100
PRIORITY_LIMIT: Final = 1_000_000
LONGEST_TIMEOUT_S: Final = 30 * 24 * 3600.0
JOB_LIMIT_BYTES: Final = 128 * 1024
#: A command needs so much to begin at all.
LEAST_MEMORY_BYTES: Final = 8 * 1024**2
GLOB_LIMIT_CHARACTERS: Final = 1000
#: Each one more makes matching slower, by as many times as a path has names.
ANY_NAMES_LIMIT: Final = 4
_GLOBS_LIMIT: Final = 1000


def accept(run: CommandRun) -> tuple[list[bytes], str]:
    """Return the jobs of a run as they are kept, and the digest of its content; UserError when it cannot be accepted."""
    check(run)
    documents = encoded(run.jobs)
    return documents, digest(run, documents)


def check(run: CommandRun) -> None:
    """Raise UserError when a run cannot be accepted."""
    try:
        if not _RUN_ID.fullmatch(run.run_id):
            raise ValueError("an id is up to 64 letters, digits, dashes and underscores")  # noqa: TRY301
        if not run.jobs:
            raise ValueError("it has no jobs")  # noqa: TRY301
        if len(run.jobs) > JOBS_LIMIT:
            raise ValueError(f"it has {len(run.jobs)} jobs; the limit is {JOBS_LIMIT}")  # noqa: TRY301
        for what, text in (("owner", run.owner), ("name", run.name), ("project", run.project)):
            _check_text(what, text, 255)
        if run.stop_after < 0:
            raise ValueError("stop_after is below 0")  # noqa: TRY301
        seen: set[str] = set()
        for number, job in enumerate(run.jobs):
            _check_job(number, job)
            if job.name in seen:
                raise ValueError(f"the job {job.name} is there twice")  # noqa: TRY301
            seen.add(job.name)
    except ValueError as error:
        raise UserError(f"cannot submit run {run.run_id[:64]}: {error}") from None


def _check_job(number: int, job: CommandJob) -> None:
    try:
        _check_text("its name", job.name, NAME_LIMIT_CHARACTERS)
        _check_text("its key", job.key, NAME_LIMIT_CHARACTERS)
        if not job.name:
            raise ValueError("it has no name")  # noqa: TRY301
        _check_command(job)
        _check_numbers(job)
        _check_places(job)
        if any(not _ENVIRONMENT_NAME.fullmatch(name) for name in job.environment):
            raise ValueError("its environment has a name that no shell could set")  # noqa: TRY301
        if job.image and not job.isolation == "sandbox":
            raise ValueError("an image needs isolation: sandbox")  # noqa: TRY301
    except ValueError as error:
        raise ValueError(f"job {number} ({job.name[:80]}): {error}") from None


def _check_command(job: CommandJob) -> None:
    if not job.command or not job.command[0]:
        raise ValueError("it has no command")
    texts = (*job.command, *job.environment.values(), *job.outputs, *job.writable, job.directory, job.image)
    if any("\0" in text for text in texts):
        raise ValueError("there is a NUL in it")
    if len(job.outputs) > _GLOBS_LIMIT or len(job.writable) > _GLOBS_LIMIT:
        raise ValueError(f"it has more than {_GLOBS_LIMIT} globs")


def _check_numbers(job: CommandJob) -> None:
    for what, value, limit in (
        ("timeout_s", job.timeout_s, LONGEST_TIMEOUT_S),
        ("grace_s", job.grace_s, 3600.0),
        ("retries", job.retries, RETRIES_LIMIT),
    ):
        if math.isnan(value) or not 0 <= value <= limit:
            raise ValueError(f"{what} is not between 0 and {limit:g}")
    for what, number, least in (
        ("memory_bytes", job.memory_bytes, LEAST_MEMORY_BYTES),
        ("processes", job.processes, 1),
        ("disk_bytes", job.disk_bytes, 1),
    ):
        if number and not least <= number < 2**60:
            raise ValueError(f"{what} is neither 0 nor {least} or more")
    if abs(job.priority) > PRIORITY_LIMIT:
        raise ValueError(f"its priority is beyond {PRIORITY_LIMIT}")


def _check_places(job: CommandJob) -> None:
    if job.inputs and not _DIGEST.fullmatch(job.inputs):
        raise ValueError(f"inputs {job.inputs[:80]!r} is no digest: HASH/SIZE of SHA-256")
    for glob in (*job.outputs, *job.writable):
        _check_glob(glob)
    if job.directory.startswith("/") or ".." in job.directory.split("/"):
        raise ValueError(f"its directory {job.directory!r} is outside of its tree")
    if len(job.limits) > 20 or any(not name or len(name) > 100 for name in job.limits):
        raise ValueError("a limit that it names is empty or too long, or there are more than 20")
    for key, value in job.requires.items():
        if not key or len(key) > 100 or len(value) > 255:
            raise ValueError("a dimension that it requires is empty or too long")


def _check_glob(glob: str) -> None:
    names = glob.split("/")
    if len(glob) > GLOB_LIMIT_CHARACTERS:
        raise ValueError(f"a glob of it is longer than {GLOB_LIMIT_CHARACTERS} characters")
    if glob.startswith("/") or ".." in names or not any(name not in {"", "."} for name in names):
        raise ValueError(f"its glob {glob[:100]!r} does not lead into its tree")
    if names.count("**") > ANY_NAMES_LIMIT:
        raise ValueError(f"its glob {glob[:100]!r} has more than {ANY_NAMES_LIMIT} times **")


def _check_text(what: str, text: str, limit: int) -> None:
    if len(text) > limit:
        raise ValueError(f"{what} is longer than {limit} characters")
    if not text.isprintable() and any(ord(character) < 32 or 0xD800 <= ord(character) < 0xE000 for character in text):
        raise ValueError(f"{what} has characters that cannot be shown")


def encoded(jobs: Sequence[CommandJob]) -> list[bytes]:
    """Return each job as the JSON that is kept and handed out; ValueError beyond the limit."""
    encoder = msgspec.json.Encoder(order="deterministic")
    documents = [encoder.encode(job) for job in jobs]
    for number, document in enumerate(documents):
        if len(document) > JOB_LIMIT_BYTES:
            raise UserError(f"cannot submit job {number}: it has {len(document)} bytes; the limit is {JOB_LIMIT_BYTES}")
    return documents


def digest(run: CommandRun, documents: Sequence[bytes]) -> str:
    """Return the SHA-256 of a run's content in hexadecimal digits."""
    content = hashlib.sha256(msgspec.json.encode([run.owner, run.name, run.project, run.stop_after]))
    for document in documents:
        content.update(b"\n")
        content.update(document)
    return content.hexdigest()
