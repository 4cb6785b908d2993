"""The tokens of a controller."""

import stat
import threading
from pathlib import Path

import pytest

from outspread.errors import InfrastructureError, NotFoundError
from outspread.server.token_book import TOKEN_PREFIX, Role, TokenBook


def test_a_token_is_found_by_itself_and_kept_nowhere(tmp_path: Path) -> None:
    with TokenBook(tmp_path) as book:
        token, secret = book.create(Role.SUBMIT, name="ci", now=1.5, expires_at=9.5)
        assert secret.startswith(TOKEN_PREFIX)
        assert len(secret) == len(TOKEN_PREFIX) + 43  # 256 bits
        assert book.find(secret) == token
        assert (token.name, token.role, token.created_at, token.expires_at) == ("ci", Role.SUBMIT, 1.5, 9.5)
        assert book.find(secret[:-1]) is None
        assert book.find("") is None
        assert book.find("\udcff") is None
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert secret.encode() not in kept
    assert secret.removeprefix(TOKEN_PREFIX).encode() not in kept


def test_no_two_tokens_are_the_same(tmp_path: Path) -> None:
    with TokenBook(tmp_path) as book:
        made = [book.create(Role.WORK, name="", now=float(number)) for number in range(20)]
        assert len({secret for _, secret in made}) == 20
        assert [token.token_id for token in book.tokens()] == [token.token_id for token, _ in made]


def test_a_revoked_token_stays_revoked_since_then(tmp_path: Path) -> None:
    with TokenBook(tmp_path) as book:
        token, secret = book.create(Role.ADMIN, name="", now=1.0)
        assert token.is_valid(2.0)
        book.revoke(token.token_id, now=2.0)
        book.revoke(token.token_id, now=3.0)
        found = book.find(secret)
        assert found is not None
        assert found.revoked_at == 2.0
        assert not found.is_valid(2.0)
        with pytest.raises(NotFoundError, match="cannot revoke token 'nix'"):
            book.revoke("nix", now=1.0)


def test_a_token_expires(tmp_path: Path) -> None:
    with TokenBook(tmp_path) as book:
        token, _ = book.create(Role.ADMIN, name="", now=1.0, expires_at=5.0)
    assert (token.is_valid(4.9), token.is_valid(5.0)) == (True, False)


def test_one_process_revokes_what_another_uses(tmp_path: Path) -> None:
    with TokenBook(tmp_path) as book:
        token, secret = book.create(Role.WORK, name="", now=1.0)
        with TokenBook(tmp_path) as other:
            other.revoke(token.token_id, now=2.0)
            other.note_used([(token.token_id, 3.0)])
        found = book.find(secret)
        assert found is not None
        assert (found.revoked_at, found.last_used_at) == (2.0, 3.0)


def test_books_opened_at_once_make_one_database(tmp_path: Path) -> None:
    def make() -> None:
        with TokenBook(tmp_path / "new") as book:
            book.create(Role.WORK, name="", now=1.0)

    threads = [threading.Thread(target=make) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with TokenBook(tmp_path / "new") as book:
        assert len(book.tokens()) == 4


def test_only_its_owner_may_read_it(tmp_path: Path) -> None:
    with TokenBook(tmp_path / "new"):
        assert stat.S_IMODE((tmp_path / "new/state.db").stat().st_mode) == 0o600
        assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700


def test_a_place_that_cannot_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InfrastructureError, match="cannot open the tokens in"):
        TokenBook(tmp_path / "file")
