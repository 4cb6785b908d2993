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
from outspread.server.api_limits import HEARTBEAT_S, STREAMS
from outspread.server.problem import Code, Problem, ProblemAnswer, problem_of

_RUNNING = "running"


def event_routes(controller: CommandPort, is_stopping: Callable[[], bool]) -> list[HTTPRouteHandler]:
    """Return the handlers."""
    streams = _Streams(controller, is_stopping)

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
        first = await controller.progress(run_id, cursor=cursor)
        headers = {"cache-control": "no-store", "x-accel-buffering": "no", "x-content-type-options": "nosniff"}
        return Stream(streams.follow(first), media_type="text/event-stream", headers=headers)

    return [events]


class _Streams:
    """The streams that are open, a limited number."""

    def __init__(self, controller: CommandPort, is_stopping: Callable[[], bool]) -> None:
        self._controller = controller
        self._is_stopping = is_stopping
        self._open = 0

    async def follow(self, progress: RunProgress) -> AsyncIterator[bytes]:
        """Return the events of a run from ``progress`` on, which is in hand."""
        if self._open >= STREAMS:
            yield _event("error", ProblemAnswer(Problem(Code.UNAVAILABLE, f"cannot serve more than {STREAMS} streams")))
            return
        self._open += 1
        try:
            async for piece in self._events(progress):
                yield piece
        except OutspreadError as error:
            yield _event("error", ProblemAnswer(problem_of(error)))
        finally:
            self._open -= 1

    async def _events(self, progress: RunProgress) -> AsyncIterator[bytes]:
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
            if self._is_stopping():
                return
            progress = await self._controller.progress(
                run_id, cursor=progress.cursor, wait_s=0.0 if progress.more else HEARTBEAT_S
            )


def _event(kind: str, content: object, cursor: int | None = None) -> bytes:
    identity = b"" if cursor is None else b"id: %d\n" % cursor
    return b"%bevent: %b\ndata: %b\n\n" % (identity, kind.encode(), msgspec.json.encode(content))
