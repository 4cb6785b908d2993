"""Access at the doors: what each role may do, over real connections."""

from pathlib import Path
from typing import Any

import pytest
from tests.integration.server.conftest import OpenDoor
from tests.servers.farm import Caller, jobs

from outspread.client.http_controller import HttpController
from outspread.controller.command_values import CommandRun
from outspread.errors import NotFoundError, RefusedError
from outspread.server.token_book import Role, TokenBook

RUN = {"run_id": "r1", "owner": "me", "jobs": [{"name": "a", "command": ["x"]}]}
WRITES: dict[str, Any] = {
    "/api/v1/runs": RUN,
    "/api/v1/runs/r1/cancel": {"reason": "x"},
    "/api/v1/runs/r1/submission": {"numbers": [0]},
    "/api/v1/workers/hold": {"worker": "ann", "reason": "x", "for_s": 1},
    "/api/v1/exchange": {},
}
READS = [
    "/api/v1/runs",
    "/api/v1/workers",
    "/api/v1/flaky",
    "/api/v1/figures",
    "/api/v1/openapi.json",
    "/healthz",
    "/readyz",
    "/metrics",
]


def new_token(directory: Path, role: Role) -> str:
    with TokenBook(directory) as book:
        return book.create(role, name="", now=1.0)[1]


@pytest.mark.parametrize("path", WRITES)
async def test_nothing_changes_without_a_token_where_one_is_required(open_door: OpenDoor, path: str) -> None:
    async with open_door(require_token=True) as door, door.session.post(path, json=WRITES[path]) as answer:
        assert answer.status == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        problem = (await answer.json())["error"]
        assert (problem["code"], problem["message"]) == ("unauthenticated", "cannot do this without a token")
        assert "give a token of the role" in problem["hint"]


@pytest.mark.parametrize("path", READS)
async def test_reading_is_open(open_door: OpenDoor, path: str) -> None:
    async with open_door(require_token=True) as door, door.session.get(path) as answer:
        assert answer.status == 200


@pytest.mark.parametrize("path", [*WRITES, *READS])
async def test_a_wrong_token_is_told_at_every_door_and_never_echoed(open_door: OpenDoor, path: str) -> None:
    headers = {"Authorization": "Bearer ost_wrong"}
    async with open_door() as door:
        method = "POST" if path in WRITES else "GET"
        async with door.session.request(method, path, json=WRITES.get(path), headers=headers) as answer:
            assert answer.status == 401
            assert "ost_wrong" not in await answer.text()


@pytest.mark.parametrize("path", WRITES)
@pytest.mark.parametrize("headers", [{"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}])
async def test_pages_of_other_sites_change_nothing(open_door: OpenDoor, path: str, headers: dict[str, str]) -> None:
    async with open_door() as door:
        async with door.session.post(path, json=WRITES[path], headers=headers) as answer:
            assert answer.status == 403
        assert await door.port.command_runs() == []


@pytest.mark.parametrize("headers", [{"X-Forwarded-For": "127.0.0.1"}, {"Host": "evil.example"}, {"Forwarded": "for=127.0.0.1"}])
async def test_who_only_seems_to_be_here_needs_a_token(open_door: OpenDoor, headers: dict[str, str]) -> None:
    async with open_door() as door, door.session.post("/api/v1/runs", json=RUN, headers=headers) as answer:
        assert answer.status == 401


async def test_submitters_submit_and_no_more(open_door: OpenDoor, tmp_path: Path) -> None:
    token = new_token(tmp_path, Role.SUBMIT)
    async with open_door(require_token=True, token=token) as door:
        await door.port.submit_commands(CommandRun("r1", "me", jobs("a")))
        await door.port.submission("r1", (0,))
        with pytest.raises(RefusedError, match="cannot do this with a token of the role submit"):
            await Caller(door.port).call()
        with pytest.raises(RefusedError):
            await door.port.hold_worker("ann", reason="", for_s=1)


async def test_workers_work_and_no_more(open_door: OpenDoor, tmp_path: Path) -> None:
    token = new_token(tmp_path, Role.WORK)
    async with open_door(require_token=True, token=token) as door:
        await Caller(door.port).call()
        with pytest.raises(RefusedError, match="role work"):
            await door.port.submit_commands(CommandRun("r1", "me", jobs("a")))


async def test_administrators_hold_workers_and_submit(open_door: OpenDoor, tmp_path: Path) -> None:
    token = new_token(tmp_path, Role.ADMIN)
    async with open_door(require_token=True, token=token) as door:
        await door.port.submit_commands(CommandRun("r1", "me", jobs("a")))
        with pytest.raises(NotFoundError):
            await door.port.hold_worker("ann", reason="", for_s=1)


async def test_a_token_is_void_from_the_moment_it_is_revoked(open_door: OpenDoor, tmp_path: Path) -> None:
    with TokenBook(tmp_path) as book:
        token, secret = book.create(Role.SUBMIT, name="", now=1.0)
        async with open_door(token=secret) as door:
            await door.port.command_runs()
            book.revoke(token.token_id, now=2.0)
            with pytest.raises(RefusedError, match="the token is revoked"):
                await door.port.command_runs()


async def test_guesses_end_with_429(open_door: OpenDoor) -> None:
    async with open_door() as door:
        statuses = []
        for number in range(25):
            async with door.session.get("/api/v1/runs", headers={"Authorization": f"Bearer ost_{number}"}) as answer:
                statuses.append(answer.status)
                if answer.status == 429:
                    assert 0 < int(answer.headers["retry-after"]) <= 60
        assert statuses == [401] * 20 + [429] * 5


def test_a_token_with_characters_that_none_has_is_not_sent() -> None:
    with pytest.raises(Exception, match="the token has characters") as caught:
        HttpController("http://localhost:1", token="ost_x\r\nX-Evil: 1")
    assert "X-Evil" not in str(caught.value)
