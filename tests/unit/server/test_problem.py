"""Errors as the API tells them."""

import errno
import sqlite3

import pytest

from outspread.errors import ConflictError, InfrastructureError, NotFoundError, OutspreadError, RefusedError, UserError
from outspread.server.problem import CODES, STATUSES, Code, ProblemError, problem_body, problem_of


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (UserError("x"), 400),
        (ConflictError("x"), 409),
        (NotFoundError("x"), 404),
        (RefusedError("x"), 403),
        (InfrastructureError("x"), 503),
        (OutspreadError("x"), 503),
        (ProblemError(Code.TOO_MANY, "x"), 429),
        (ValueError("x"), 500),
    ],
)
def test_each_error_has_its_status(error: Exception, status: int) -> None:
    assert STATUSES[problem_of(error).code] == status


@pytest.mark.parametrize("cause", [OSError(errno.ENOSPC, "full"), OSError(errno.EDQUOT, "quota")])
def test_a_full_disk_is_told_apart(cause: Exception) -> None:
    error = InfrastructureError("cannot write")
    error.__cause__ = InfrastructureError("inner")
    error.__cause__.__cause__ = cause
    assert problem_of(error).code is Code.FULL


def test_a_full_database_is_told_apart() -> None:
    with sqlite3.connect(":memory:") as connection:
        connection.execute("PRAGMA max_page_count = 2")
        connection.execute("CREATE TABLE t (x)")
        with pytest.raises(sqlite3.OperationalError) as caught:
            connection.execute("INSERT INTO t VALUES (zeroblob(100000))")
    connection.close()
    error = InfrastructureError("cannot write")
    error.__cause__ = caught.value
    assert problem_of(error).code is Code.FULL


def test_nothing_of_an_unexpected_error_is_told() -> None:
    assert b"secret" not in problem_body(problem_of(KeyError("secret")))


def test_the_body_is_json_with_code_message_and_hint() -> None:
    body = problem_body(problem_of(UserError("cannot <x>", hint="do y")))
    assert body == b'{"error":{"code":"invalid","message":"cannot <x>","hint":"do y"}}'


def test_codes_and_statuses_are_one_to_one() -> None:
    assert set(STATUSES) == set(Code)
    assert {CODES[status]: status for status in CODES} == STATUSES
