"""Tokens as a table."""

from collections.abc import Iterator, Sequence

from outspread.cli.columns import moment, table
from outspread.cli.terminal_text import shown_text
from outspread.server.token_book import Token


def token_lines(tokens: Sequence[Token], *, now: float) -> Iterator[str]:
    """Yield the lines of a table of tokens."""
    rows = [("ID", "ROLE", "NAME", "CREATED", "LAST USED", "STATE")]
    for token in tokens:
        used = "never" if token.last_used_at is None else moment(token.last_used_at)
        rows.append((token.token_id, token.role, shown_text(token.name), moment(token.created_at), used, _state(token, now)))
    return table(rows)


def _state(token: Token, now: float) -> str:
    if token.revoked_at is not None:
        return f"revoked {moment(token.revoked_at)}"
    if token.expires_at is None:
        return "valid"
    return f"valid until {moment(token.expires_at)}" if token.is_valid(now) else f"expired {moment(token.expires_at)}"
