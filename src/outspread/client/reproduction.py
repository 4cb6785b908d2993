"""Make an attempt's surroundings again here: its input tree, and a script that runs its command as the worker did."""

import os
import shlex
from pathlib import Path
from typing import Final

from outspread.client.scratch import scratch_in
from outspread.controller.command_port import CommandPort
from outspread.controller.command_values import CommandAttempt, CommandJob
from outspread.errors import InfrastructureError, UserError
from outspread.store.blob_cache import BlobCache
from outspread.store.contract import Store
from outspread.store.digest import Digest
from outspread.store.materialise import materialise

SCRIPT: Final = "run"
TREE: Final = "tree"
_CACHE_BYTES: Final = 8 * 1024**3


def script(job: CommandJob, attempt: CommandAttempt) -> str:
    """Return a shell script that runs the job's command in ``tree`` beside it; with arguments, those instead."""
    variables = {
        **job.environment,
        "OUTSPREAD_RUN": _run_of(attempt),
        "OUTSPREAD_JOB": job.name,
        "OUTSPREAD_ATTEMPT": attempt.attempt_id,
    }
    lines = [
        "#!/bin/sh",
        f"# Attempt {attempt.attempt_id}: its command with its variables, or the command that is given as arguments.",
        f'cd -- "$(dirname -- "$0")"/{TREE} || exit 1',
        *([f"cd -- {shlex.quote(job.directory)} || exit 1"] if job.directory else []),
        f'[ "$#" -gt 0 ] || set -- {shlex.join(job.command)}',
        f'exec env {shlex.join(f"{name}={value}" for name, value in variables.items())} "$@"',
    ]
    return "".join(f"{line}\n" for line in lines)


async def job_of(port: CommandPort, attempt: CommandAttempt) -> CommandJob:
    """Return the job that an attempt was made of, as it was submitted."""
    jobs = (await port.submission(_run_of(attempt), (attempt.number,))).jobs
    if len(jobs) != 1:
        raise InfrastructureError(f"cannot reproduce {attempt.attempt_id}: the controller does not know its command any more")
    return jobs[0]


async def reproduce(store: Store, job: CommandJob, attempt: CommandAttempt, into: Path) -> Path:
    """Make ``into``, which must not exist, with the tree and the script; return the script's path."""
    _refuse_existing(into)
    try:
        with scratch_in(into.parent) as scratch:
            unfinished = scratch / "work"
            _make_directory(unfinished)
            await _make_tree(store, job, unfinished / TREE, scratch)
            _write_script(unfinished / SCRIPT, script(job, attempt))
            unfinished.rename(into)
    except OSError as error:
        raise InfrastructureError(f"cannot reproduce into {into}: {error.strerror}") from error
    return into / SCRIPT


async def _make_tree(store: Store, job: CommandJob, tree: Path, scratch: Path) -> None:
    if not job.inputs:
        _make_directory(tree)
        return
    with BlobCache(scratch / "cache", store, limit_bytes=_CACHE_BYTES) as cache:
        made = await materialise(cache, Digest.parse(job.inputs), tree, writable=True)
        made.release()


def _make_directory(path: Path) -> None:
    path.mkdir()


def _refuse_existing(into: Path) -> None:
    if os.path.lexists(into):
        raise UserError(f"cannot reproduce into {into}: it exists already", hint="name another directory with --directory")


def _write_script(file: Path, text: str) -> None:
    file.write_text(text, "utf-8")
    file.chmod(0o755)


def _run_of(attempt: CommandAttempt) -> str:
    return attempt.attempt_id.rsplit(".", 2)[0]
