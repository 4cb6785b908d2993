"""Fetch logs and artifacts of a run's attempts into a directory, under names that lead nowhere else."""

import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Final

from msgspec import Struct

from outspread.client.at_once import answers
from outspread.client.following import all_jobs, log_parts
from outspread.client.scratch import scratch_in
from outspread.controller.command_port import CommandPort
from outspread.controller.command_values import CommandAttempt
from outspread.controller.values import Outcome
from outspread.errors import InfrastructureError, NotFoundError
from outspread.store.blob_cache import BlobCache
from outspread.store.contract import Store
from outspread.store.digest import Digest
from outspread.store.errors import BlobMissingError
from outspread.store.materialise import materialise

#: While a run is fetched; what several attempts have in common comes once.
_CACHE_BYTES: Final = 8 * 1024**3
_NAME_CHARACTERS: Final = 120
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._+-]+", re.ASCII)


class Wanted(Struct, frozen=True):
    """What to fetch; ``only_failed``: of attempts that did not pass."""

    logs: bool = True
    artifacts: bool = True
    only_failed: bool = False


class Fetched(Struct, frozen=True):
    """Something that was fetched; with a ``problem``, why it was not."""

    path: Path
    problem: str = ""


def safe_name(attempt: CommandAttempt) -> str:
    """Return a file name for what belongs to an attempt: number, attempt, and what can be kept of the job's name."""
    readable = _UNSAFE.sub("_", attempt.job).strip("._")[:_NAME_CHARACTERS]
    return f"{attempt.number:05}.{attempt.attempt}.{readable}".rstrip(".")


async def fetch(port: CommandPort, store: Store, run_id: str, into: Path, wanted: Wanted) -> AsyncIterator[Fetched]:
    """Yield each file and directory when it is there, whole; what was there before is left alone. InfrastructureError."""
    try:
        with scratch_in(into) as scratch, BlobCache(scratch / "cache", store, limit_bytes=_CACHE_BYTES) as cache:
            fetcher = _Fetcher(port, cache, into, scratch, wanted)
            async for _, fetched in answers(_attempts(port, run_id, only_failed=wanted.only_failed), fetcher.fetch):
                for one in fetched:
                    yield one
    except OSError as error:
        raise InfrastructureError(f"cannot fetch into {into}: {error.strerror}") from error


async def _attempts(port: CommandPort, run_id: str, *, only_failed: bool) -> AsyncIterator[CommandAttempt]:
    """Yield the attempts of a run that are over."""
    async for job in all_jobs(port, run_id):
        for attempt in job.attempts:
            if attempt.outcome is not None and not (only_failed and attempt.outcome is Outcome.PASSED):
                yield attempt


class _Fetcher:
    def __init__(self, port: CommandPort, cache: BlobCache, into: Path, scratch: Path, wanted: Wanted) -> None:
        self._port = port
        self._cache = cache
        self._into = into
        self._scratch = scratch
        self._wanted = wanted

    async def fetch(self, attempt: CommandAttempt) -> list[Fetched]:
        """Return what was fetched of an attempt."""
        name = safe_name(attempt)
        fetched: list[Fetched] = []
        log, artifacts = self._into / f"{name}.log", self._into / name
        if self._wanted.logs and not _is_there(log):
            fetched.append(await self._whole(log, lambda new: self._log(attempt, new)))
        if self._wanted.artifacts and attempt.outputs and not _is_there(artifacts):
            fetched.append(await self._whole(artifacts, lambda new: self._artifacts(attempt, new)))
        return fetched

    async def _whole(self, path: Path, make: Callable[[Path], Awaitable[None]]) -> Fetched:
        new = self._scratch / path.name
        try:
            await make(new)
        except (BlobMissingError, NotFoundError) as error:
            return Fetched(path, error.message)
        new.rename(path)
        return Fetched(path)

    async def _log(self, attempt: CommandAttempt, new: Path) -> None:
        with new.open("wb") as file:
            async for part in log_parts(self._port, attempt.attempt_id, to_the_end=False):
                file.write(part.data)

    async def _artifacts(self, attempt: CommandAttempt, new: Path) -> None:
        tree = await materialise(self._cache, Digest.parse(attempt.outputs), new, writable=True)
        tree.release()


def _is_there(path: Path) -> bool:
    return os.path.lexists(path)
