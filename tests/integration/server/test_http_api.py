"""The API as those see it who speak HTTP by hand: problems, limits, logs, events, figures."""

import asyncio
import io
import json

import pytest
from tests.integration.server.conftest import OpenDoor, Visitor
from tests.servers.farm import Caller, jobs

from outspread.controller.command_values import AttemptEnd, AttemptLogPiece, CommandRun
from outspread.controller.values import Outcome
from outspread.server import event_routes, open_streams
from outspread.server.api_limits import LOG_CHUNK_BYTES


async def problem(door: Visitor, method: str, path: str, **options: object) -> tuple[int, str, str]:
    async with door.session.request(method, path, **options) as answer:  # type: ignore[arg-type]
        assert answer.content_type == "application/json"
        error = (await answer.json())["error"]
        assert set(error) == {"code", "message", "hint"}
        return answer.status, error["code"], error["message"]


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/api/v1/runs/nix", 404, "not-found"),
        ("GET", "/api/v1/nix", 404, "not-found"),
        ("GET", "/nix", 404, "not-found"),
        ("GET", "/api/v1/blobs/x", 404, "not-found"),
        ("DELETE", "/api/v1/runs", 405, "no-such-method"),
        ("GET", "/api/v1/exchange", 405, "no-such-method"),
        ("GET", "/api/v1/runs?limit=0", 400, "invalid"),
        ("GET", "/api/v1/runs?limit=x", 400, "invalid"),
        ("GET", "/api/v1/runs/r1/jobs?state=x", 400, "invalid"),
        ("GET", "/api/v1/runs/r1/jobs/99999999999999999999", 400, "invalid"),
        ("GET", "/api/v1/runs/r1/progress?cursor=-1", 400, "invalid"),
        ("GET", "/api/v1/runs/r1/job", 400, "invalid"),
        ("GET", "/api/v1/attempts/r1/log", 404, "not-found"),
        ("GET", "/api/v1/attempts/%2e%2e%2fx.0.1/log", 404, "not-found"),
    ],
)
async def test_a_problem_has_status_code_and_words(open_door: OpenDoor, method: str, path: str, status: int, code: str) -> None:
    async with open_door() as door:
        assert (await problem(door, method, path))[:2] == (status, code)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"", ""),
        (b'{"run_id"', "truncated"),
        (b'{"run_id": "r", "owner": "o", "jobs": [{"name": "a", "comand": []}]}', "unknown field `comand`"),
        (b'{"run_id": "r", "owner": "o", "jobs": [{"name": 1, "command": []}]}', "Expected `str`"),
        (b'{"run_id": "r", "owner": "o", "jobs": [{"name": "a", "command": []}]}', "it has no command"),
        (b"[" * 100_000, ""),
    ],
)
async def test_what_cannot_be_submitted_is_told(open_door: OpenDoor, body: bytes, told: str) -> None:
    async with open_door() as door:
        headers = {"Content-Type": "application/json"}
        status, code, message = await problem(door, "POST", "/api/v1/runs", data=body, headers=headers)
        assert (status, code) == (400, "invalid")
        assert told in message


async def test_what_is_too_large_is_refused(open_door: OpenDoor) -> None:
    async with open_door() as door:
        for path, size in (("/api/v1/runs/r/cancel", 9 * 2**20), ("/api/v1/exchange", 33 * 2**20)):
            assert (await problem(door, "POST", path, data=io.BytesIO(b" " * size)))[:2] == (413, "too-large")


async def test_an_exchange_that_is_none_is_refused(open_door: OpenDoor) -> None:
    async with open_door() as door:
        status, code, message = await problem(door, "POST", "/api/v1/exchange", data=b"\xc0")
        assert (status, code) == (400, "invalid")
        assert "cannot read what the worker says" in message


async def printed(door: Visitor, *pieces: bytes, ended: bool = True) -> Caller:
    await door.port.submit_commands(CommandRun("r1", "me", jobs("a")))
    ann = Caller(door.port)
    (claim,) = (await ann.call()).claims
    for number, piece in enumerate(pieces):
        await ann.call(pieces=(AttemptLogPiece(claim.fence, number, piece),), begun=(claim.fence,))
    if ended:
        await ann.call(ended=(AttemptEnd(claim.fence, Outcome.PASSED, exit_code=0, pieces=len(pieces)),))
    return ann


LOG = "/api/v1/attempts/r1.0.1/log"


async def test_no_browser_takes_a_log_for_a_page(open_door: OpenDoor) -> None:
    async with open_door() as door:
        await printed(door, b"<script>alert(1)</script>\xff")
        async with door.session.get(LOG) as answer:
            assert await answer.read() == b"<script>alert(1)</script>\xff"
            assert answer.headers["content-type"] == "text/plain; charset=utf-8"
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert "sandbox" in answer.headers["content-security-policy"]
            assert answer.headers["content-disposition"] == 'inline; filename="r1.0.1.log"'


@pytest.mark.parametrize(
    ("wanted", "status", "content", "told"),
    [
        ("bytes=2-4", 206, b"234", "bytes 2-4/10"),
        ("bytes=7-", 206, b"789", "bytes 7-9/10"),
        ("bytes=-3", 206, b"789", "bytes 7-9/10"),
        ("bytes=-30", 206, b"0123456789", "bytes 0-9/10"),
        ("bytes=8-99", 206, b"89", "bytes 8-9/10"),
        ("lines=1-2", 200, b"0123456789", None),
        ("bytes=1-2,4-5", 200, b"0123456789", None),
        ("bytes=10-", 416, None, "bytes */10"),
        ("bytes=5-2", 416, None, "bytes */10"),
    ],
)
async def test_a_part_of_a_log(open_door: OpenDoor, wanted: str, status: int, content: bytes | None, told: str | None) -> None:
    async with open_door() as door:
        await printed(door, b"01234", b"56789")
        async with door.session.get(LOG, headers={"Range": wanted}) as answer:
            assert (answer.status, answer.headers.get("content-range")) == (status, told)
            if content is not None:
                assert await answer.read() == content
                assert int(answer.headers["content-length"]) == len(content)


async def test_a_long_log_comes_whole(open_door: OpenDoor) -> None:
    async with open_door() as door:
        pieces = [bytes([65 + number]) * (LOG_CHUNK_BYTES // 2 + 1) for number in range(5)]
        await printed(door, *pieces)
        async with door.session.get(LOG) as answer:
            assert int(answer.headers["content-length"]) == sum(map(len, pieces))
            assert await answer.read() == b"".join(pieces)


async def test_a_log_is_followed_to_its_end(open_door: OpenDoor) -> None:
    async with open_door() as door:
        ann = await printed(door, b"one\n", ended=False)
        async with door.session.get(LOG, params={"follow": "true"}) as answer:
            assert await answer.content.readline() == b"one\n"
            (fence,) = ann.holding
            await ann.call(pieces=(AttemptLogPiece(fence, 1, b"two\n"),))
            assert await answer.content.readline() == b"two\n"
            await ann.call(ended=(AttemptEnd(fence, Outcome.PASSED, pieces=2),))
            assert await answer.content.read() == b""


async def events_of(door: Visitor, last: str = "") -> list[tuple[str, str, dict[str, object]]]:
    """All events until the run is over: id, kind, content."""
    headers = {"Last-Event-ID": last} if last else {}
    async with door.session.get("/api/v1/runs/r1/events", headers=headers) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        text = (await answer.read()).decode()
    found = []
    for block in filter(None, text.split("\n\n")):
        fields = dict(line.split(": ", 1) for line in block.split("\n") if not line.startswith(":"))
        if fields:
            found.append((fields.get("id", ""), fields["event"], json.loads(fields["data"])))
    return found


async def test_a_run_is_followed_to_its_end_and_from_where_one_was(open_door: OpenDoor) -> None:
    async with open_door() as door:
        await door.port.submit_commands(CommandRun("r1", "me", jobs("a", "b c")))
        following = asyncio.create_task(events_of(door))
        ann = Caller(door.port)
        claims = (await ann.call()).claims
        while claims:
            claims = (await ann.call(ended=(AttemptEnd(claims[0].fence, Outcome.PASSED, exit_code=0),))).claims
        events = await following
        attempts = [(identity, content["job"]) for identity, kind, content in events if kind == "attempt"]
        assert attempts == [("1", "a"), ("2", "b c")]
        identity, kind, content = events[-1]
        assert (identity, kind, content["state"]) == ("2", "end", "done")
        assert [identity for identity, kind, _ in await events_of(door, "1") if kind == "attempt"] == ["2"]
        assert [kind for _, kind, _ in await events_of(door, "2")] == ["end"]
        assert len(await events_of(door, "no number")) == 3


async def test_a_stream_with_nothing_to_tell_says_that_it_is_alive(open_door: OpenDoor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_routes, "HEARTBEAT_S", 0.01)
    async with open_door() as door:
        await door.port.submit_commands(CommandRun("r1", "me", jobs("a")))
        async with door.session.get("/api/v1/runs/r1/events") as answer:
            async for line in answer.content:
                if line == b": still here\n":
                    break


async def test_there_is_a_bound_to_streams_and_they_are_given_back(open_door: OpenDoor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_streams, "STREAMS", 1)
    async with open_door() as door:
        await door.port.submit_commands(CommandRun("r1", "me", jobs("a")))
        ann = Caller(door.port)
        (claim,) = (await ann.call()).claims
        await ann.call(begun=(claim.fence,))
        async with door.session.get("/api/v1/runs/r1/events") as first:
            await first.content.readline()
            for path in ("/api/v1/runs/r1/events", "/api/v1/attempts/r1.0.1/log?follow=true"):
                async with door.session.get(path) as refused:
                    assert (refused.status, refused.headers["retry-after"]) == (503, "5")
                    assert (await refused.json())["error"]["code"] == "unavailable"
        await ann.call(ended=(AttemptEnd(claim.fence, Outcome.PASSED),))
        async with asyncio.timeout(5):
            while [kind for _, kind, _ in await events_of(door)][-1:] != ["end"]:
                await asyncio.sleep(0.01)


async def test_the_description_is_there_and_whole(open_door: OpenDoor) -> None:
    async with open_door() as door, door.session.get("/api/v1/openapi.json") as answer:
        described = await answer.json()
        assert described["openapi"].startswith("3.")
        for path, methods in described["paths"].items():
            for method, operation in methods.items():
                assert operation.get("summary"), (method, path)


async def test_a_worker_whose_connection_breaks_is_gone_at_once(open_door: OpenDoor) -> None:
    async with open_door() as door:
        await door.port.submit_commands(CommandRun("r1", "me", jobs("a")))
        ann = Caller(door.port)
        (claim,) = (await ann.call()).claims
        waiting = asyncio.create_task(ann.call(begun=(claim.fence,), wait_s=30))
        while not (await door.port.workers())[0].running:
            await asyncio.sleep(0.005)
        began = asyncio.get_running_loop().time()
        waiting.cancel()
        bob = Caller(door.port, "bob")
        (again,) = (await bob.call(wait_s=10)).claims
        assert (again.number, again.run_id) == (0, "r1")
        assert again.fence > claim.fence
        assert asyncio.get_running_loop().time() - began < 2


async def test_a_worker_that_calls_again_keeps_its_work(open_door: OpenDoor) -> None:
    async with open_door() as door:
        await door.port.submit_commands(CommandRun("r1", "me", jobs("a")))
        ann = Caller(door.port)
        (claim,) = (await ann.call()).claims
        waiting = asyncio.create_task(ann.call(begun=(claim.fence,), wait_s=30))
        while not (await door.port.workers())[0].running:
            await asyncio.sleep(0.005)
        waiting.cancel()
        orders = await ann.call(wait_s=1.3)
        assert orders.stops == ()
        assert (await door.port.workers())[0].running == ("r1.0.1",)
