"""Answers of the doors that are plain ASGI."""

import logging
from collections.abc import Iterable

from outspread.errors import OutspreadError
from outspread.server.asgi import Send
from outspread.server.problem import STATUSES, ProblemError, problem_body, problem_of

_log = logging.getLogger(__name__)


async def send_answer(
    send: Send, status: int, content: bytes, content_type: bytes, headers: Iterable[tuple[bytes, bytes]] = ()
) -> None:
    """Send a whole answer."""
    told = [(b"content-type", content_type), (b"content-length", b"%d" % len(content)), *headers]
    await send({"type": "http.response.start", "status": status, "headers": told})
    await send({"type": "http.response.body", "body": content})


async def send_problem(send: Send, error: Exception, *, close: bool = False, has_body: bool = True) -> None:
    """Tell what could not be done. ``close``: the connection ends, for not all of the request was read."""
    if not isinstance(error, OutspreadError):
        _log.error("request failed", exc_info=error)
    problem = problem_of(error)
    headers = [(b"cache-control", b"no-store")]
    if isinstance(error, ProblemError):
        headers += [(name.encode("latin-1"), value.encode("latin-1")) for name, value in error.headers]
    if close:
        headers.append((b"connection", b"close"))
    content = problem_body(problem) if has_body else b""
    await send_answer(send, STATUSES[problem.code], content, b"application/json", headers)
