"""What a controller does from time to time: write down which tokens were used, forget old runs, free the store."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Final, Protocol

from outspread.errors import OutspreadError
from outspread.server.gate import Gate
from outspread.server.token_book import TokenBook
from outspread.store.digest import Digest
from outspread.store.disk_store import DiskStore
from outspread.store.garbage_collector import collect_garbage

_log = logging.getLogger(__name__)

_TOKENS_EVERY_S: Final = 60.0
_CLEAN_EVERY_S: Final = 3600.0
_GRACE_S: Final = 24 * 3600.0


class KeptRuns(Protocol):
    """What a controller tells of what it keeps."""

    async def needed_trees(self) -> set[str]:
        """Return the digests of all trees that a run takes in or has brought forth."""
        ...

    async def forget_runs(self, *, finished_before: float) -> int:
        """Drop runs that finished before a time; return how many, 0 when there are no more."""
        ...


async def note_token_use(gate: Gate, directory: Path) -> None:
    """Write down which tokens were used, until cancelled."""
    await _repeatedly(lambda: _note(gate, directory), _TOKENS_EVERY_S)


async def clean(runs: KeptRuns, store: DiskStore, *, keep_runs_s: float, wall: Callable[[], float]) -> None:
    """Forget runs that are over for longer than ``keep_runs_s`` and free the store, until cancelled."""
    await _repeatedly(lambda: clean_once(runs, store, keep_runs_s=keep_runs_s, now=wall()), _CLEAN_EVERY_S)


async def clean_once(runs: KeptRuns, store: DiskStore, *, keep_runs_s: float, now: float) -> None:
    """Do it now."""
    forgotten = 0
    while count := await runs.forget_runs(finished_before=now - keep_runs_s):
        forgotten += count
    collected = await collect_garbage(store, trees=_digests(await runs.needed_trees()), blobs=(), grace_s=_GRACE_S, now=now)
    if forgotten or collected.removed_blobs:
        freed = {"runs": forgotten, "blobs": collected.removed_blobs, "bytes": collected.removed_bytes}
        _log.info("freed", extra=freed)


async def _note(gate: Gate, directory: Path) -> None:
    if used := gate.take_used():
        await asyncio.to_thread(_write_down, directory, used)


def _write_down(directory: Path, used: Iterable[tuple[str, float]]) -> None:
    with TokenBook(directory) as book:
        book.note_used(used)


async def _repeatedly(duty: Callable[[], Awaitable[None]], every_s: float) -> None:
    while True:
        await asyncio.sleep(every_s)
        try:
            await duty()
        except OutspreadError as error:  # the next time may be better; what it is about is told to those who need it now
            _log.warning("housekeeping failed", extra={"reason": error.message})


def _digests(texts: Iterable[str]) -> list[Digest]:
    return [Digest.parse(text) for text in texts]
