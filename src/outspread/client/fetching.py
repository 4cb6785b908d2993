"""Fetch logs and outputs of a run's attempts into a directory, under names that lead nowhere else."""

import asyncio
import re
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from msgspec import Struct

from outspread.client.following import all_jobs, log_parts
from outspread.controller.command_port import CommandPort
from outspread.controller.command_values import CommandAttempt
from outspread.controller.values import JobState, Outcome
from outspread.errors import InfrastructureError
from outspread.store.blob_cache import BlobCache
from outspread.store.contract import Store
from outspread.store.digest import Digest
from outspread.store.materialise import materialise

_CACHE_BYTES: Final = 8 * 1024**3
_NAME_CHARACTERS: Final = 120
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._+-]+", re.ASCII)


class Wanted(Struct, frozen=True):
    """What to fetch."""

    logs: bool = True
    outputs: bool = True
    only_failed: bool = False


def safe_name(attempt: CommandAttempt) -> str:
    """Return a file name for what belongs to an attempt: number, attempt, and what can be kept of the job's name."""
    readable = _UNSAFE.sub("_", attempt.job).strip("._")[:_NAME_CHARACTERS]
    return f"{attempt.number:05}.{attempt.attempt}.{readable}".rstrip(".")


async def fetch(port: CommandPort, store: Store, run_id: str, into: Path, wanted: Wanted) -> AsyncIterator[Path]:
    """Yield each path when it is there; what was there before is left alone. Raises InfrastructureError."""
    try:
        with _scratch(into) as scratch, BlobCache(scratch / "cache", store, limit_bytes=_CACHE_BYTES) as cache:
            async for job in all_jobs(port, run_id, state=JobState.DONE):
                for attempt in job.attempts:
                    if wanted.only_failed and attempt.outcome is Outcome.PASSED:
                        continue
                    async for path in _fetch_attempt(port, cache, attempt, into, scratch, wanted):
                        yield path
    except OSError as error:
        raise InfrastructureError(f"cannot fetch into {into}: {error.strerror}") from error


@contextmanager
def _scratch(into: Path) -> Iterator[Path]:
    """Yield a directory on the same file system, which is gone in the end."""
    into.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".fetching-", dir=into) as directory:
        yield Path(directory)


async def _fetch_attempt(
    port: CommandPort, cache: BlobCache, attempt: CommandAttempt, into: Path, scratch: Path, wanted: Wanted
) -> AsyncIterator[Path]:
    log = into / f"{safe_name(attempt)}.log"
    if wanted.logs and not _is_there(log):
        await fetch_log(port, attempt.attempt_id, log, scratch)
        yield log
    outputs = into / safe_name(attempt)
    if wanted.outputs and attempt.outputs and not _is_there(outputs):
        unfinished = scratch / "outputs"
        tree = await materialise(cache, Digest.parse(attempt.outputs), unfinished, writable=True)
        tree.release()
        unfinished.rename(outputs)
        yield outputs


def _is_there(path: Path) -> bool:
    return path.exists()


async def fetch_log(port: CommandPort, attempt_id: str, file: Path, scratch: Path) -> None:
    """Write a log whole or not at all."""
    unfinished = scratch / "log"
    with unfinished.open("wb") as target:
        async for part in log_parts(port, attempt_id, to_the_end=False):
            await asyncio.to_thread(target.write, part.data)
    shutil.move(unfinished, file)
