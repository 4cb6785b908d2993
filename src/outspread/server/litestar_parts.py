"""What our ways are in Litestar's terms: who may call a handler, and how errors are told."""

import logging
from typing import Any, Final, cast

from litestar import Request, Response
from litestar.connection import ASGIConnection
from litestar.exceptions import HTTPException, ValidationException
from litestar.handlers.base import BaseRouteHandler
from litestar.types import Guard

from outspread.errors import OutspreadError
from outspread.server.asgi import Scope
from outspread.server.gate import Gate, Right
from outspread.server.problem import CODES, STATUSES, Code, ProblemAnswer, ProblemError, problem_of

_log = logging.getLogger(__name__)

_MOST_FAULTS: Final = 5


def allow(gate: Gate, right: Right) -> Guard:
    """Return a guard that lets those pass who have a right."""

    async def guard(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
        gate.check(cast("Scope", connection.scope), right)

    return guard


def tell_error(_: Request[Any, Any, Any], error: Exception) -> Response[ProblemAnswer]:
    """Return the answer for whatever a handler could not do."""
    if isinstance(error, HTTPException):
        error = _translated(error)
    elif isinstance(error, RecursionError):
        error = ProblemError(Code.INVALID, "cannot read the request: it is nested too deeply")
    elif not isinstance(error, OutspreadError):
        _log.error("request failed", exc_info=error)
    problem = problem_of(error)
    headers = {"cache-control": "no-store"} | (dict(error.headers) if isinstance(error, ProblemError) else {})
    return Response(ProblemAnswer(problem), status_code=STATUSES[problem.code], media_type="application/json", headers=headers)


def _translated(error: HTTPException) -> ProblemError:
    """Return what Litestar found wrong, in our words."""
    code = CODES.get(error.status_code, Code.INVALID if error.status_code < 500 else Code.INTERNAL)
    headers = tuple((name.lower(), value) for name, value in (error.headers or {}).items())
    match code:
        case Code.NOT_FOUND:
            return ProblemError(code, "cannot find this: the API has no such path")
        case Code.NO_SUCH_METHOD:
            return ProblemError(code, "cannot do this: the path has no such method", headers=headers)
        case Code.TOO_LARGE:
            return ProblemError(code, "cannot take so much in one request")
        case Code.INTERNAL:
            _log.error("request failed", exc_info=error)
            return ProblemError(code, "cannot answer: there is a fault in the controller")
    return ProblemError(code, f"cannot read the request: {_faults(error)}")


def _faults(error: HTTPException) -> str:
    extra = error.extra if isinstance(error, ValidationException) else None
    if not isinstance(extra, list):
        return error.detail
    faults = [
        ": ".join(str(fault[part]) for part in ("key", "message") if fault.get(part))
        for fault in extra
        if isinstance(fault, dict)
    ]
    return "; ".join(faults[:_MOST_FAULTS]) or error.detail
