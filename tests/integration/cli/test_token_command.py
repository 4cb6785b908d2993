"""``outspread token``: what people see of tokens."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from outspread.cli.main import outspread
from outspread.errors import NotFoundError
from outspread.server.token_book import Role, TokenBook


@pytest.fixture(autouse=True)
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUTSPREAD_CONTROLLER_STATE", str(tmp_path))


def called(*arguments: str) -> Result:
    return CliRunner().invoke(outspread, ["token", *arguments])


def test_a_token_is_printed_once_and_alone(tmp_path: Path) -> None:
    made = called("create", "--role", "submit", "--name", "ci \x1b[31m", "--expires", "30d")
    secret = made.stdout.strip()
    with TokenBook(tmp_path) as book:
        token = book.find(secret)
    assert token is not None
    assert token.role is Role.SUBMIT
    assert token.expires_at == pytest.approx(token.created_at + 30 * 86400)
    assert made.stderr == f"token {token.token_id} of the role submit: keep it, it is not shown again\n"
    listed = called("list").stdout
    assert token.token_id in listed
    assert secret not in listed
    assert "\x1b" not in listed
    assert "valid until" in listed


def test_a_token_is_revoked() -> None:
    called("create", "--role", "work")
    (told,) = json.loads(called("list", "--json").stdout)
    assert (told["role"], told["revoked_at"]) == ("work", None)
    assert called("revoke", told["token_id"]).exit_code == 0
    (told,) = json.loads(called("list", "--json").stdout)
    assert told["revoked_at"] is not None
    assert "revoked" in called("list").stdout


def test_what_cannot_be_is_told() -> None:
    assert "no tokens yet" in called("list").stderr
    assert isinstance(called("revoke", "nix").exception, NotFoundError)
    assert "--expires" in called("create", "--role", "work", "--expires", "soon").stderr
    assert called("create", "--role", "king").exit_code == 2
    assert called("create").exit_code == 2
