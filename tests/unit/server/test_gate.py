"""The gate: each right against each role, tokens that are void, and guesses that are too many."""

import pytest

from outspread.server.asgi import Scope
from outspread.server.failed_tokens import FAILURES_ALLOWED, PERIOD_S, FailedTokens
from outspread.server.gate import Gate, Right
from outspread.server.problem import Code, ProblemError
from outspread.server.token_book import Role, Token

TOKENS = {
    "s": Token("1", "", Role.SUBMIT, 0.0),
    "w": Token("2", "", Role.WORK, 0.0),
    "a": Token("3", "", Role.ADMIN, 0.0),
    "revoked": Token("4", "", Role.ADMIN, 0.0, revoked_at=5.0),
    "expired": Token("5", "", Role.ADMIN, 0.0, expires_at=9.0),
}


class Tokens:
    def find(self, secret: str) -> Token | None:
        return TOKENS.get(secret)


class Clock:
    now = 10.0


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def gate(clock: Clock) -> Gate:
    return Gate(Tokens(), wall=lambda: clock.now)


def scope(token: str = "", address: str = "10.0.0.1", host: str = "farm", **headers: str) -> Scope:
    told = {"host": host} | ({"authorization": f"Bearer {token}"} if token else {}) | headers
    return {"client": (address, 1), "headers": [(name.encode(), value.encode()) for name, value in told.items()]}


def local(**headers: str) -> Scope:
    return scope(address="127.0.0.1", host="localhost:8080", **headers)


def refusal(gate: Gate, asked: Scope, right: Right) -> Code | None:
    try:
        gate.check(asked, right)
    except ProblemError as error:
        return error.code
    return None


@pytest.mark.parametrize(
    ("right", "may"),
    [
        (Right.READ, {"", "s", "w", "a"}),
        (Right.SUBMIT, {"s", "a"}),
        (Right.WORK, {"w"}),
        (Right.UPLOAD, {"s", "w", "a"}),
        (Right.ADMINISTER, {"a"}),
    ],
)
@pytest.mark.parametrize("token", ["", "s", "w", "a"])
def test_each_role_has_its_rights(gate: Gate, right: Right, may: set[str], token: str) -> None:
    expected = None if token in may else Code.FORBIDDEN if token else Code.UNAUTHENTICATED
    assert refusal(gate, scope(token), right) is expected


@pytest.mark.parametrize("right", Right)
def test_this_host_needs_no_token_unless_told_so(gate: Gate, right: Right) -> None:
    assert refusal(gate, local(), right) is None
    strict = Gate(Tokens(), require_token=True)
    assert refusal(strict, local(), right) is (None if right is Right.READ else Code.UNAUTHENTICATED)


@pytest.mark.parametrize("right", Right)
@pytest.mark.parametrize("token", ["revoked", "expired", "nix"])
def test_a_void_token_opens_nothing_not_even_from_here(gate: Gate, right: Right, token: str) -> None:
    asked = local(authorization=f"Bearer {token}")
    with pytest.raises(ProblemError, match=r"is revoked|has expired|is not known") as caught:
        gate.check(asked, right)
    assert caught.value.code is Code.UNAUTHENTICATED
    assert ("www-authenticate", "Bearer") in caught.value.headers
    assert token == "nix" or token in caught.value.message
    assert "Bearer nix" not in caught.value.message


def test_a_token_of_another_role_is_no_better_than_none_from_here(gate: Gate) -> None:
    assert refusal(gate, local(authorization="Bearer w"), Right.SUBMIT) is Code.FORBIDDEN


def test_pages_of_other_sites_change_nothing(gate: Gate) -> None:
    foreign = {"origin": "http://evil.example"}
    assert refusal(gate, local(**foreign), Right.SUBMIT) is Code.FORBIDDEN
    assert refusal(gate, scope("a", **foreign), Right.SUBMIT) is Code.FORBIDDEN
    assert refusal(gate, local(**foreign), Right.READ) is None


def test_guesses_are_bounded_for_each_address_alone(gate: Gate, clock: Clock) -> None:
    asked = scope("nix")
    codes = [refusal(gate, asked, Right.READ) for _ in range(FAILURES_ALLOWED + 2)]
    assert codes == [Code.UNAUTHENTICATED] * FAILURES_ALLOWED + [Code.TOO_MANY] * 2
    assert refusal(gate, scope("nix", address="10.0.0.2"), Right.READ) is Code.UNAUTHENTICATED
    assert refusal(gate, scope("s"), Right.SUBMIT) is None  # a valid one is no guess
    clock.now += PERIOD_S
    assert refusal(gate, asked, Right.READ) is Code.UNAUTHENTICATED


def test_failures_of_many_addresses_take_bounded_room() -> None:
    failed = FailedTokens()
    for number in range(20_000):
        failed.note(str(number), now=1.0)
    assert len(failed._counts) == 10_000
    assert failed.wait_s("19999", now=1.0) == 0


def test_the_use_of_a_token_is_noted_once_a_minute(gate: Gate, clock: Clock) -> None:
    for _ in range(3):
        gate.check(scope("s"), Right.SUBMIT)
    assert gate.take_used() == [("1", 10.0)]
    assert gate.take_used() == []
    clock.now += 61
    gate.check(scope("s"), Right.READ)
    assert gate.take_used() == [("1", 71.0)]
