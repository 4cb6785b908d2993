"""``/attempts``: what attempts printed.

A log is whatever a test printed: it is told as plain text that no browser may take for anything else.
"""

import re
from collections.abc import AsyncIterator, Callable
from typing import Annotated, Final

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, HeaderParameter, QueryParameter
from litestar.response import Stream

from outspread.controller.command_port import CommandPort
from outspread.controller.command_values import LogPart
from outspread.controller.log_headers import LOG_ENDED, LOG_OFFSET, LOG_TOTAL
from outspread.server.api_limits import HEARTBEAT_S, LARGEST_NUMBER, LARGEST_PART_BYTES, LOG_CHUNK_BYTES, LONGEST_WAIT_S
from outspread.server.byte_range import part_of
from outspread.server.open_streams import OpenStreams
from outspread.server.problem import Code, ProblemError

_PLAIN: Final = "text/plain"  # Litestar adds that it is UTF-8
_NOT_FOR_FILE_NAMES: Final = re.compile(r"[^A-Za-z0-9._-]")


def attempt_routes(controller: CommandPort, is_stopping: Callable[[], bool], streams: OpenStreams) -> list[HTTPRouteHandler]:
    """Return the handlers."""

    @get(
        "/attempts/{attempt_id:str}/log",
        media_type=_PLAIN,
        summary="Read the log of an attempt",
        description="All that is kept, or the part that `Range: bytes=…` asks for; with `follow`, until the attempt has ended.",
    )
    async def log(
        attempt_id: FromPath[str],
        wanted: Annotated[
            str, HeaderParameter(name="Range", required=False, description="`bytes=FIRST-LAST`, `FIRST-`, `-LENGTH`.")
        ] = "",
        follow: Annotated[bool, QueryParameter(description="Go on with what is printed from now on.")] = False,
    ) -> Response[bytes] | Stream:
        total = (await controller.log_part(attempt_id, limit=0)).total_bytes
        headers = _headers(attempt_id)
        if follow:
            streams.check()
            return Stream(_followed(controller, attempt_id, is_stopping, streams), media_type=_PLAIN, headers=headers)
        part = part_of(wanted, total)
        first, end = part or (0, total)
        status = 200 if part is None else 206
        if part is not None:
            headers["content-range"] = f"bytes {first}-{end - 1}/{total}"
        headers["accept-ranges"] = "bytes"
        if end - first <= LOG_CHUNK_BYTES:
            read = await controller.log_part(attempt_id, offset=first, limit=end - first)
            return Response(read.data, media_type=_PLAIN, headers=headers, status_code=status)
        headers["content-length"] = str(end - first)
        return Stream(_between(controller, attempt_id, first, end), media_type=_PLAIN, headers=headers, status_code=status)

    @get(
        "/attempts/{attempt_id:str}/log-part",
        media_type=_PLAIN,
        summary="Wait for a part of the log of an attempt",
        description=(
            f"The part from `offset` on. `{LOG_OFFSET}` says where it begins, `{LOG_TOTAL}` how much there is by now, and"
            f" `{LOG_ENDED}: true` that nothing will follow that."
        ),
    )
    async def log_part(
        attempt_id: FromPath[str],
        offset: Annotated[int, QueryParameter(ge=0, le=LARGEST_NUMBER, description="Where to begin, bytes.")] = 0,
        limit: Annotated[
            int, QueryParameter(ge=0, description=f"How much at most, bytes; {LARGEST_PART_BYTES} is the limit.")
        ] = LOG_CHUNK_BYTES,
        wait_s: Annotated[
            float,
            QueryParameter(
                ge=0, description=f"How long the answer is held back while there is nothing new, s; {LONGEST_WAIT_S:g} at most."
            ),
        ] = 0.0,
    ) -> Response[bytes]:
        part = await controller.log_part(
            attempt_id, offset=offset, limit=min(limit, LARGEST_PART_BYTES), wait_s=min(wait_s, LONGEST_WAIT_S)
        )
        return Response(part.data, media_type=_PLAIN, headers=_headers(attempt_id) | _told(part))

    return [log, log_part]


async def _followed(
    controller: CommandPort, attempt_id: str, is_stopping: Callable[[], bool], streams: OpenStreams
) -> AsyncIterator[bytes]:
    offset = 0
    with streams.one_more():
        while True:
            part = await controller.log_part(attempt_id, offset=offset, limit=LOG_CHUNK_BYTES, wait_s=HEARTBEAT_S)
            offset = part.offset + len(part.data)
            if part.data:
                yield part.data
            if (part.ended and offset >= part.total_bytes) or is_stopping():
                return


async def _between(controller: CommandPort, attempt_id: str, first: int, end: int) -> AsyncIterator[bytes]:
    while first < end:
        part = await controller.log_part(attempt_id, offset=first, limit=min(LOG_CHUNK_BYTES, end - first))
        if not part.data:
            raise ProblemError(Code.UNAVAILABLE, f"cannot read the log of {attempt_id}: it ends before its end")
        yield part.data
        first += len(part.data)


def _headers(attempt_id: str) -> dict[str, str]:
    name = _NOT_FOR_FILE_NAMES.sub("_", attempt_id)[:100]
    return {
        "x-content-type-options": "nosniff",
        "content-security-policy": "default-src 'none'; sandbox",
        "content-disposition": f'inline; filename="{name}.log"',
        "cache-control": "no-store",
    }


def _told(part: LogPart) -> dict[str, str]:
    return {LOG_OFFSET: str(part.offset), LOG_TOTAL: str(part.total_bytes), LOG_ENDED: "true" if part.ended else "false"}
