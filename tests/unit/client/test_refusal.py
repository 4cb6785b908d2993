"""What an answer that is none means."""

import pytest

from outspread.client.refusal import error_of
from outspread.errors import ConflictError, InfrastructureError, NotFoundError, OutspreadError, RefusedError, UserError

URL = "http://farm:8080"


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, UserError),
        (401, RefusedError),
        (403, RefusedError),
        (404, NotFoundError),
        (409, ConflictError),
        (413, UserError),
        (429, RefusedError),
        (503, InfrastructureError),
        (507, InfrastructureError),
    ],
)
def test_a_problem_is_the_error_that_it_was(status: int, kind: type[OutspreadError]) -> None:
    error = error_of(URL, status, b'{"error":{"code":"x","message":"cannot x","hint":"do y"}}')
    assert type(error) is kind
    assert "cannot x" in error.message
    assert error.hint == "do y"


def test_infrastructure_and_refusals_name_the_controller() -> None:
    for status in (401, 503, 507):
        assert URL in error_of(URL, status, b'{"error":{"message":"cannot x"}}').message


def test_another_attempt_does_not_help_where_there_is_a_fault_or_no_controller() -> None:
    for status, retry in ((500, False), (502, True), (503, True), (404, False), (302, False)):
        error = error_of(URL, status, b"<html> no\ncontroller ")
        assert isinstance(error, InfrastructureError)
        assert error.retry is retry
        assert f"it says {status}: <html> no controller" in error.message


def test_a_long_page_is_cut() -> None:
    assert len(error_of(URL, 502, b"x" * 10_000).message) < 500
