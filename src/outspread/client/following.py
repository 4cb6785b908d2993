"""Follow a run to its end, and read what a controller has in pages."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Final

from outspread.controller.command_port import CommandPort
from outspread.controller.command_values import CommandJobStatus, LogPart, RunProgress
from outspread.controller.values import JobState, Outcome

RUNNING: Final = "running"
_WAIT_S: Final = 20.0
_PAGE_JOBS: Final = 500
#: Who asks at once after each answer keeps the controller busy with nothing else: such a part of the time is waited first.
_PAUSE_PART: Final = 0.05
_LONGEST_PAUSE_S: Final = 0.25


async def follow(
    port: CommandPort, run_id: str, *, wait_s: float = _WAIT_S, clock: Callable[[], float] = time.monotonic
) -> AsyncIterator[RunProgress]:
    """Yield what happens in a run from its beginning to its end, once at least; and each ``wait_s`` how it stands."""
    began_at = clock()
    progress = await port.progress(run_id)
    yield progress
    while progress.more or progress.status.state == RUNNING:
        if not progress.more:
            await asyncio.sleep(min(_LONGEST_PAUSE_S, _PAUSE_PART * (clock() - began_at)))
        progress = await port.progress(run_id, cursor=progress.cursor, wait_s=0.0 if progress.more else wait_s)
        yield progress


async def all_jobs(
    port: CommandPort,
    run_id: str,
    *,
    state: JobState | None = None,
    outcome: Outcome | None = None,
) -> AsyncIterator[CommandJobStatus]:
    """Yield the jobs of a run that are so, in the order of submission."""
    after: int | None = -1
    while after is not None:
        page = await port.jobs(run_id, after=after, limit=_PAGE_JOBS, state=state, outcome=outcome)
        for job in page.jobs:
            yield job
        after = page.next


async def log_parts(port: CommandPort, attempt_id: str, *, to_the_end: bool) -> AsyncIterator[LogPart]:
    """Yield an attempt's log piece by piece; with ``to_the_end`` what is printed from now on, too."""
    offset = 0
    while True:
        part = await port.log_part(attempt_id, offset=offset, wait_s=_WAIT_S if to_the_end else 0.0)
        if part.data:
            yield part
        offset += len(part.data)
        if part.ended or (not to_the_end and not part.data):
            return


async def log_end(port: CommandPort, attempt_id: str, *, limit_bytes: int) -> bytes:
    """Return the last part of a log."""
    total = (await port.log_part(attempt_id, limit=0)).total_bytes
    part = await port.log_part(attempt_id, offset=max(0, total - limit_bytes), limit=limit_bytes)
    return part.data
