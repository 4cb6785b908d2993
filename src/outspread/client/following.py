"""Follow a run to its end."""

from collections.abc import AsyncIterator
from typing import Final

from outspread.controller.command_port import CommandPort
from outspread.controller.command_values import CommandJobStatus, LogPart, RunProgress
from outspread.controller.values import JobState, Outcome

_WAIT_S: Final = 20.0
_PAGE_JOBS: Final = 500


async def follow(port: CommandPort, run_id: str, *, wait_s: float = _WAIT_S) -> AsyncIterator[RunProgress]:
    """Yield what happens in a run from its beginning to its end; at least each ``wait_s`` how it stands."""
    cursor = 0
    first = True
    while True:
        progress = await port.progress(run_id, cursor=cursor, wait_s=0.0 if first else wait_s)
        cursor, first = progress.cursor, False
        yield progress
        if progress.status.state != "running" and not progress.more:
            return


async def all_jobs(
    port: CommandPort,
    run_id: str,
    *,
    state: JobState | None = None,
    outcome: Outcome | None = None,
    text: str = "",
) -> AsyncIterator[CommandJobStatus]:
    """Yield the jobs of a run that are so, in the order of submission."""
    after: int | None = -1
    while after is not None:
        page = await port.jobs(run_id, after=after, limit=_PAGE_JOBS, state=state, outcome=outcome, text=text)
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
