"""``/runs/RUN/events``: a run as server-sent events.

Nothing is kept for a stream: it asks for what follows its cursor when its reader has taken what came before, so that a slow
reader costs no room, and one that comes back with ``Last-Event-ID`` misses nothing.
"""

from collections.abc import AsyncIterator, Callable
from typing import Annotated

import msgspec
from litestar import get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, HeaderParameter
from litestar.response import Stream

from outspread.controller.command_port import CommandPort
from outspread.controller.command_values import RunProgress
from outspread.errors import OutspreadError
from outspread.server.api_limits import HEARTBEAT_S
from outspread.server.open_streams import OpenStreams
from outspread.server.problem import ProblemAnswer, problem_of

_RUNNING = "running"


def event_routes(controller: CommandPort, is_stopping: Callable[[], bool], streams: OpenStreams) -> list[HTTPRouteHandler]:
    """Return the handlers."""

    @get(
        "/runs/{run_id:str}/events",
        media_type="text/event-stream",
        summary="Follow a run",
        description=(
            "Server-sent events: `attempt` for each attempt that ended, `status` for how the run is, `end` when it is over,"
            " `error` when the stream cannot go on. Whoever comes back with `Last-Event-ID` misses nothing."
        ),
    )
    async def events(
        run_id: FromPath[str],
        last: Annotated[
            str, HeaderParameter(name="Last-Event-ID", required=False, description="The id of the last event that was taken.")
        ] = "",
    ) -> Stream:
        cursor = int(last) if last.isascii() and last.isdecimal() and len(last) < 19 else 0
        streams.check()
        first = await controller.progress(run_id, cursor=cursor)
        headers = {"cache-control": "no-store", "x-accel-buffering": "no", "x-content-type-options": "nosniff"}
        return Stream(_told(controller, first, is_stopping, streams), media_type="text/event-stream", headers=headers)

    return [events]


async def _told(
    controller: CommandPort, progress: RunProgress, is_stopping: Callable[[], bool], streams: OpenStreams
) -> AsyncIterator[bytes]:
    """Return the events of a run from ``progress`` on, which is in hand."""
    try:
        with streams.one_more():
            async for piece in _events(controller, progress, is_stopping):
                yield piece
    except OutspreadError as error:
        yield _event("error", ProblemAnswer(problem_of(error)))


async def _events(controller: CommandPort, progress: RunProgress, is_stopping: Callable[[], bool]) -> AsyncIterator[bytes]:
    run_id = progress.status.run_id
    told = None
    while True:
        before = progress.cursor - len(progress.ended)
        attempts = [_event("attempt", attempt, before + place) for place, attempt in enumerate(progress.ended, 1)]
        if attempts:
            yield b"".join(attempts)
        if progress.status.state != _RUNNING and not progress.more:
            yield _event("end", progress.status, progress.cursor)
            return
        if progress.status != told:
            yield _event("status", progress.status, progress.cursor)
            told = progress.status
        elif not attempts:
            yield b": still here\n\n"
        if is_stopping():
            return
        progress = await controller.progress(run_id, cursor=progress.cursor, wait_s=0.0 if progress.more else HEARTBEAT_S)


def _event(kind: str, content: object, cursor: int | None = None) -> bytes:
    identity = b"" if cursor is None else b"id: %d\n" % cursor
    return b"%bevent: %b\ndata: %b\n\n" % (identity, kind.encode(), msgspec.json.encode(content))
