"""Errors as the API tells them: a status, a code for programs, words for people. Pure.

``{"error": {"code": "not-found", "message": "cannot find run r1: there is no such run", "hint": ""}}``
"""

import errno
import sqlite3
from enum import StrEnum
from typing import Final

import msgspec
from msgspec import Struct

from outspread.errors import ConflictError, NotFoundError, OutspreadError, RefusedError, UserError


class Code(StrEnum):
    """What kind of problem it is, for programs."""

    INVALID = "invalid"  # 400
    UNAUTHENTICATED = "unauthenticated"  # 401: a token is missing or not valid
    FORBIDDEN = "forbidden"  # 403
    NOT_FOUND = "not-found"  # 404
    NO_SUCH_METHOD = "no-such-method"  # 405
    TOO_SLOW = "too-slow"  # 408
    CONFLICT = "conflict"  # 409
    TOO_LARGE = "too-large"  # 413
    NO_SUCH_PART = "no-such-part"  # 416
    TOO_MANY = "too-many"  # 429
    INTERNAL = "internal"  # 500
    UNAVAILABLE = "unavailable"  # 503: again, a little later
    FULL = "full"  # 507


STATUSES: Final = {
    Code.INVALID: 400,
    Code.UNAUTHENTICATED: 401,
    Code.FORBIDDEN: 403,
    Code.NOT_FOUND: 404,
    Code.NO_SUCH_METHOD: 405,
    Code.TOO_SLOW: 408,
    Code.CONFLICT: 409,
    Code.TOO_LARGE: 413,
    Code.NO_SUCH_PART: 416,
    Code.TOO_MANY: 429,
    Code.INTERNAL: 500,
    Code.UNAVAILABLE: 503,
    Code.FULL: 507,
}
CODES: Final = {status: code for code, status in STATUSES.items()}


class Problem(Struct, frozen=True):
    code: Code
    message: str
    hint: str = ""


class ProblemAnswer(Struct, frozen=True):
    """The body of every answer that is none."""

    error: Problem


class ProblemError(OutspreadError):
    """A request that the door itself cannot meet."""

    def __init__(self, code: Code, message: str, *, hint: str = "", headers: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(message, hint=hint)
        self.code = code
        self.headers = headers


def problem_of(error: Exception) -> Problem:
    """Return what a client is told about ``error``: nothing of the inside of those that nobody expected."""
    if not isinstance(error, OutspreadError):
        return Problem(Code.INTERNAL, "cannot answer: there is a fault in the controller", "its log says more")
    return Problem(_code(error), error.message, error.hint)


def problem_body(problem: Problem) -> bytes:
    """Return the body of the answer, JSON."""
    return msgspec.json.encode(ProblemAnswer(problem))


def _code(error: OutspreadError) -> Code:
    match error:
        case ProblemError():
            return error.code
        case ConflictError():
            return Code.CONFLICT
        case NotFoundError():
            return Code.NOT_FOUND
        case RefusedError():
            return Code.FORBIDDEN
        case UserError():
            return Code.INVALID
    return Code.FULL if _is_full(error) else Code.UNAVAILABLE


def _is_full(error: BaseException) -> bool:
    """Tell whether a full disk is behind ``error``."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno in {errno.ENOSPC, errno.EDQUOT}:
            return True
        if isinstance(cause, sqlite3.Error) and getattr(cause, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
            return True
        cause = cause.__cause__
    return False
