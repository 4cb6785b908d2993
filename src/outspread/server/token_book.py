"""The tokens of a controller: made, shown once, and known by their digests only.

In the state's database, on a connection of its own. Blocking, and quick: a look-up is one read of an index.
"""

import hashlib
import secrets
import sqlite3
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from msgspec import Struct

from outspread.controller.record_changes import microseconds
from outspread.controller.schema_upgrade import bring_up_to_date
from outspread.errors import InfrastructureError, NotFoundError

TOKEN_PREFIX: Final = "ost_"  # noqa: S105 # by which people and scanners of secrets know one
NAME_LIMIT_CHARACTERS: Final = 100
_RANDOM_BYTES: Final = 32
_ID_BYTES: Final = 4
_BUSY_S: Final = 5.0


class Role(StrEnum):
    """What a token is for."""

    SUBMIT = "submit"  # runs, and what they need in the store
    WORK = "work"  # a worker: its exchange, and the store
    ADMIN = "admin"  # what submit may, and workers' holds


class Token(Struct, frozen=True):
    """What is known of a token. Times are seconds since the epoch."""

    token_id: str
    name: str
    role: Role
    created_at: float
    last_used_at: float | None = None
    expires_at: float | None = None
    revoked_at: float | None = None

    def is_valid(self, now: float) -> bool:
        """Tell whether it opens anything."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


class TokenBook:
    """The tokens in ``directory``/state.db, which is made when it is not there. Use as a context manager, in one thread."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / "state.db"
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._connection = sqlite3.connect(self._path, isolation_level=None, timeout=_BUSY_S)
            self._path.chmod(0o600)
            self._connection.execute("PRAGMA journal_mode = WAL")
            bring_up_to_date(self._connection)
        except (OSError, sqlite3.Error) as error:
            raise InfrastructureError(f"cannot open the tokens in {self._path}: {error}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        self._connection.close()

    def create(self, role: Role, *, name: str, now: float, expires_at: float | None = None) -> tuple[Token, str]:
        """Make a token; return what is known of it and the token itself, which nobody can tell again."""
        secret = TOKEN_PREFIX + secrets.token_urlsafe(_RANDOM_BYTES)
        token = Token(secrets.token_hex(_ID_BYTES), name, role, created_at=now, expires_at=expires_at)
        self._execute(
            "INSERT INTO tokens (token_id, name, role, digest, created_us, expires_us) VALUES (?, ?, ?, ?, ?, ?)",
            (token.token_id, name, role, _digest(secret), microseconds(now), _or_none(expires_at)),
        )
        return token, secret

    def find(self, secret: str) -> Token | None:
        """Return what is known of a token, whether it is valid or not; None for one that was never made.

        It is found by its digest: how long that takes says nothing about the token.
        """
        rows = self._execute(f"{_SELECT} WHERE digest = ?", (_digest(secret),))
        return _token(rows[0]) if rows else None

    def tokens(self) -> list[Token]:
        """Return all tokens, oldest first."""
        return [_token(row) for row in self._execute(f"{_SELECT} ORDER BY created_us, token_id")]

    def revoke(self, token_id: str, *, now: float) -> Token:
        """Make a token void. Idempotent; NotFoundError when there is none of this id."""
        self._execute("UPDATE tokens SET revoked_us = coalesce(revoked_us, ?) WHERE token_id = ?", (microseconds(now), token_id))
        rows = self._execute(f"{_SELECT} WHERE token_id = ?", (token_id,))
        if not rows:
            raise NotFoundError(f"cannot revoke token {token_id[:40]!r}: there is none of this id")
        return _token(rows[0])

    def note_used(self, used: Iterable[tuple[str, float]]) -> None:
        """Write down when tokens, by their ids, were used last."""
        self._execute("BEGIN IMMEDIATE")
        try:
            for token_id, at in used:
                self._execute("UPDATE tokens SET last_used_us = ? WHERE token_id = ?", (microseconds(at), token_id))
        except BaseException:
            self._execute("ROLLBACK")
            raise
        self._execute("COMMIT")

    def _execute(self, statement: str, values: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
        try:
            return self._connection.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise InfrastructureError(f"cannot use the tokens in {self._path}: {error}") from error


_SELECT: Final = "SELECT token_id, name, role, created_us, last_used_us, expires_us, revoked_us FROM tokens"


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode(errors="surrogateescape")).hexdigest()


def _or_none(at: float | None) -> int | None:
    return None if at is None else microseconds(at)


def _token(row: tuple[object, ...]) -> Token:
    token_id, name, role, *times = row
    created_at, last_used_at, expires_at, revoked_at = [at / 1e6 if isinstance(at, int) else None for at in times]
    return Token(
        str(token_id), str(name), Role(str(role)), created_at or 0.0, last_used_at, expires_at=expires_at, revoked_at=revoked_at
    )
