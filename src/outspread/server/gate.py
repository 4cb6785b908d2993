"""Who may do what at the doors of a controller.

Reading is open. Whoever changes something has a token of a role that may, or calls from this host. A token that is shown must
be valid, whatever is asked.
"""

import logging
import time
from collections.abc import Callable
from enum import StrEnum
from typing import Final, Protocol

from outspread.server.asgi import Scope
from outspread.server.caller import address, bearer_token, is_foreign_page, is_local, is_rebound
from outspread.server.failed_tokens import FailedTokens
from outspread.server.problem import Code, ProblemError
from outspread.server.token_book import Role, Token

_log = logging.getLogger(__name__)

#: The use of a token is written down to the minute.
_USE_NOTED_S: Final = 60.0
_NEVER: Final = float("-inf")


class Right(StrEnum):
    """What a request wants to do."""

    READ = "read"
    SUBMIT = "submit"  # runs
    WORK = "work"  # be a worker
    UPLOAD = "upload"  # write to the store
    ADMINISTER = "administer"


_ROLES: Final = {
    Right.SUBMIT: frozenset({Role.SUBMIT, Role.ADMIN}),
    Right.WORK: frozenset({Role.WORK}),
    Right.UPLOAD: frozenset({Role.SUBMIT, Role.WORK, Role.ADMIN}),
    Right.ADMINISTER: frozenset({Role.ADMIN}),
}


class KnownTokens(Protocol):
    """Where tokens are looked up."""

    def find(self, secret: str) -> Token | None:
        """Return what is known of a token."""
        ...


class Gate:
    """Lets requests pass or not. ``require_token``: calls from this host need one, too."""

    def __init__(self, tokens: KnownTokens, *, require_token: bool = False, wall: Callable[[], float] = time.time) -> None:
        self._tokens = tokens
        self._require_token = require_token
        self._wall = wall
        self._failed = FailedTokens()
        self._used: dict[str, float] = {}

    def check(self, scope: Scope, right: Right) -> None:
        """Raise ProblemError, saying why, when a request may not do what it wants."""
        secret = bearer_token(scope)
        token = self._valid_token(scope, secret) if secret else None
        if right is Right.READ:
            if is_rebound(scope):
                raise ProblemError(
                    Code.FORBIDDEN, "cannot tell this to a page of another site", hint="call this host by its name"
                )
            return
        if is_foreign_page(scope):
            raise ProblemError(Code.FORBIDDEN, "cannot do this for a page of another site")
        if token is None:
            if self._require_token or not is_local(scope):
                raise _missing(right)
        elif token.role not in _ROLES[right]:
            raise ProblemError(
                Code.FORBIDDEN,
                f"cannot do this with a token of the role {token.role}",
                hint=f"use one of the role {_roles_of(right)}",
            )

    def take_used(self) -> list[tuple[str, float]]:
        """Return which tokens, by their ids, were used when, since the last call."""
        used, self._used = self._used, {}
        return list(used.items())

    def _valid_token(self, scope: Scope, secret: str) -> Token:
        now = self._wall()
        peer = address(scope)
        token = self._tokens.find(secret)
        if token is not None and token.is_valid(now):
            if now - max(token.last_used_at or _NEVER, self._used.get(token.token_id, _NEVER)) >= _USE_NOTED_S:
                self._used[token.token_id] = now
            return token
        if (wait_s := self._failed.wait_s(peer, now=now)) > 0:
            retry_after = ("retry-after", str(round(wait_s) or 1))
            raise ProblemError(Code.TOO_MANY, "too many tokens that are not valid", headers=(retry_after,))
        self._failed.note(peer, now=now)
        _log.warning("token refused", extra={"address": peer, "token_id": token.token_id if token else ""})
        why = "is not known" if token is None else "is revoked" if token.revoked_at is not None else "has expired"
        raise _unauthenticated(f"cannot do this: the token {why}", hint="an administrator makes one: outspread token create")


def _missing(right: Right) -> ProblemError:
    return _unauthenticated("cannot do this without a token", hint=f"give a token of the role {_roles_of(right)}")


def _unauthenticated(message: str, *, hint: str) -> ProblemError:
    return ProblemError(Code.UNAUTHENTICATED, message, hint=hint, headers=(("www-authenticate", "Bearer"),))


def _roles_of(right: Right) -> str:
    return " or ".join(role for role in Role if role in _ROLES[right])
