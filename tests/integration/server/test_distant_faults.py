"""The controller from afar, while the network or the controller fails: bounded attempts, and nothing twice."""

from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from tests.servers.farm import direct_farm, jobs
from tests.servers.served import served

from outspread.client import http_controller
from outspread.client.http_controller import HttpController
from outspread.controller.command_values import CommandRun
from outspread.errors import InfrastructureError, NotFoundError, UserError
from outspread.server.answer import send_answer
from outspread.server.api import Doors, http_api
from outspread.server.asgi import App, Message, Receive, Scope, Send
from outspread.server.gate import Gate
from outspread.server.token_book import TokenBook


@pytest.fixture(autouse=True)
def _no_long_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_controller, "retry_delays", lambda _: iter([0.01] * 3))


def failing(app: App, times: int, fail: App) -> App:
    """Return ``app``, whose first answers are lost and replaced."""
    left = times

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal left
        if left:
            left -= 1
            await fail(scope, receive, send)
        else:
            await app(scope, receive, send)

    return application


def answering(status: int, content: bytes = b"") -> App:
    async def application(_scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send_answer(send, status, content, b"text/plain")

    return application


def doing_and_losing(app: App) -> App:
    """Return ``app``, whose answer is lost with its connection."""

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        async def lose(_: Message) -> None:
            """Say nothing."""

        await app(scope, receive, lose)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"9")]})

    return application


@pytest.mark.parametrize("status", [408, 502, 503, 504])
async def test_passing_faults_are_outlived(status: int) -> None:
    app = failing(answering(200, b'{"workers": []}'), 3, answering(status))
    async with served(app) as url, HttpController(url) as port:
        assert await port.workers() == []


async def test_what_does_not_pass_is_told_with_the_url() -> None:
    async with served(answering(503, b"no\nbackend")) as url, HttpController(url) as port:
        with pytest.raises(InfrastructureError, match=r"cannot use the controller at http://127.0.0.1:.*it says 503: no backend"):
            await port.workers()


@pytest.mark.parametrize("status", [301, 400, 404, 418, 500])
async def test_another_attempt_is_not_made_where_it_cannot_help(status: int) -> None:
    app = failing(answering(200, b'{"workers": []}'), 1, answering(status))
    async with served(app) as url, HttpController(url) as port:
        with pytest.raises(InfrastructureError, match=f"it says {status}"):
            await port.workers()
        assert await port.workers() == []


async def test_a_lost_answer_submits_nothing_twice(tmp_path: Path) -> None:
    async with direct_farm(tmp_path) as controller:
        with TokenBook(tmp_path) as book:
            app = http_api(Doors(controller=controller, gate=Gate(book), registry=CollectorRegistry()))
            async with served(failing(app, 2, doing_and_losing(app))) as url, HttpController(url) as port:
                status = await port.submit_commands(CommandRun("r1", "me", jobs("a")))
                assert status.run_id == "r1"
        assert len(await controller.command_runs()) == 1


async def test_nobody_there_is_told_with_the_url() -> None:
    async with HttpController("http://127.0.0.1:1") as port:
        with pytest.raises(InfrastructureError, match=r"cannot reach the controller at http://127.0.0.1:1: ") as caught:
            await port.workers()
        assert caught.value.hint


@pytest.mark.parametrize("content", [b"", b"hello", b'{"workers": 3}', b'{"workers": [{"name": 1}]}'])
async def test_what_is_not_understood_is_told(content: bytes) -> None:
    async with served(answering(200, content)) as url, HttpController(url) as port:
        with pytest.raises(InfrastructureError, match="cannot understand the controller at") as caught:
            await port.workers()
        assert not caught.value.retry


async def test_a_log_without_its_headers_is_not_understood() -> None:
    async with served(answering(200, b"text")) as url, HttpController(url) as port:
        with pytest.raises(InfrastructureError, match="cannot understand"):
            await port.log_part("r.0.1")


@pytest.mark.parametrize(
    "url",
    ["", "farm:8080", "ftp://farm", "http://", "http://farm:99999", "http://me:secret@farm", "http://farm/?x", "http://[::1"],
)
def test_what_is_no_url_of_a_controller_is_refused(url: str) -> None:
    with pytest.raises(UserError) as caught:
        HttpController(url)
    assert "secret" not in caught.value.message


async def test_a_url_may_have_a_path_before_the_api() -> None:
    paths = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        paths.append(scope["raw_path"])
        await answering(404, b'{"error": {"message": "cannot find"}}')(scope, receive, send)

    async with served(app) as url, HttpController(f"{url}/farm/") as port:
        with pytest.raises(NotFoundError):
            await port.progress("a?b#c")
    assert paths == [b"/farm/api/v1/runs/a%3Fb%23c/progress"]
