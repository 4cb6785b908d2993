"""A controller as a program: it says where it is, stops within seconds, and goes on where it stopped."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.servers.farm import Caller, jobs

from outspread.client.http_controller import HttpController
from outspread.controller.command_values import AttemptEnd, CommandJob, CommandRun
from outspread.controller.values import Outcome
from outspread.errors import UserError
from outspread.server.housekeeping import clean_once
from outspread.server.serving import serving
from outspread.server.settings import ListenAddress, Settings
from outspread.server.token_book import Role, TokenBook
from outspread.store.digest import Digest
from outspread.store.errors import StoreRefusedError
from outspread.store.remote_store import open_remote_store

Start = Callable[..., tuple["subprocess.Popen[str]", str]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start ``outspread serve``; return it with its URL."""
    started = []

    def begin(*arguments: str) -> tuple["subprocess.Popen[str]", str]:
        program = [sys.executable, "-c", "from outspread.cli.entry import outspread; outspread()", "serve", *arguments]
        environment = os.environ | {"OUTSPREAD_CONTROLLER_STATE": str(tmp_path / "state"), "OUTSPREAD_LISTEN": "127.0.0.1:0"}
        process = subprocess.Popen(program, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.fullmatch(r"controller at (http://127\.0\.0\.1:\d+), state in .*/state\n", line)
        return process, found[1] if found else line

    yield begin
    for process in started:
        process.kill()
        process.communicate()


def test_sigterm_answers_who_waits_and_ends_soon(start: Start) -> None:
    process, url = start()

    async def scenario() -> None:
        async with HttpController(url) as port:
            await port.submit_commands(CommandRun("r1", "me", jobs("a")))
            ann = Caller(port)
            (claim,) = (await ann.call()).claims
            poll = asyncio.create_task(ann.call(begun=(claim.fence,), wait_s=60))
            looking = asyncio.create_task(port.progress("r1", wait_s=60))
            while not (await port.workers())[0].running:
                await asyncio.sleep(0.01)
            process.send_signal(signal.SIGTERM)
            began = time.monotonic()
            assert (await poll).stops == ()
            assert (await looking).ended == ()
            assert await asyncio.to_thread(process.wait) == 0
            assert time.monotonic() - began < 5

    asyncio.run(scenario())
    assert process.stderr is not None
    assert [json.loads(line)["event"] for line in process.stderr] == ["run accepted"]


def test_what_was_acknowledged_survives_being_killed(start: Start) -> None:
    first, url = start()

    async def before() -> int:
        async with HttpController(url) as port:
            await port.submit_commands(CommandRun("r1", "me", jobs("a", "b")))
            ann = Caller(port)
            (claim,) = (await ann.call()).claims
            orders = await ann.call(ended=(AttemptEnd(claim.fence, Outcome.PASSED, exit_code=0),))
            return orders.claims[0].fence

    fence = asyncio.run(before())
    first.kill()
    first.wait()
    _, url = start()

    async def after() -> None:
        async with HttpController(url) as port:
            assert (await port.progress("r1")).status.counts.passed == 1
            (claim,) = (await Caller(port, "bob").call()).claims
            assert (claim.number, claim.run_id) == (1, "r1")
            assert claim.fence > fence

    asyncio.run(after())


def test_a_place_that_is_taken_is_told_in_one_line(start: Start) -> None:
    _, url = start()
    second, told = start("--listen", url.removeprefix("http://"))
    assert told == ""
    assert second.wait() == 1
    assert second.stderr is not None
    error, hint = second.stderr.read().splitlines()
    assert error == f"error: cannot listen on {url.removeprefix('http://')}: Address already in use"
    assert hint.startswith("hint: ")


def test_a_state_that_another_has_is_told_in_one_line(start: Start) -> None:
    start()
    second, _ = start()
    assert second.wait() == 1
    assert second.stderr is not None
    assert "another controller has it" in second.stderr.read()


async def test_the_store_is_behind_the_same_door(tmp_path: Path) -> None:
    content = b"hello"
    digest = Digest.of(content)
    settings = Settings(tmp_path, ListenAddress("127.0.0.1", 0))
    async with serving(settings) as served, open_remote_store(served.url) as store:
        await store.put_blobs({digest: content})
        assert await store.get_blobs([digest]) == {digest: content}
        # Nothing needs it, but it was used just now.
        await clean_once(served.controller, served.store, keep_runs_s=0, now=time.time())
        assert await store.find_missing([digest]) == set()
        await clean_once(served.controller, served.store, keep_runs_s=0, now=time.time() + 3 * 86400)
        assert await store.find_missing([digest]) == {digest}


async def test_old_runs_are_forgotten(tmp_path: Path) -> None:
    async with serving(Settings(tmp_path, ListenAddress("127.0.0.1", 0))) as served:
        await served.controller.submit_commands(CommandRun("r1", "me", jobs("a")))
        await served.controller.cancel("r1", "")
        await served.controller.submit_commands(CommandRun("r2", "me", jobs("a")))
        await clean_once(served.controller, served.store, keep_runs_s=3600, now=time.time() + 3000)
        assert len(await served.controller.command_runs()) == 2
        await clean_once(served.controller, served.store, keep_runs_s=3600, now=time.time() + 4000)
        assert [run.run_id for run in await served.controller.command_runs()] == ["r2"]


async def test_nothing_is_stored_without_a_token_where_one_is_required(tmp_path: Path) -> None:
    content = b"hello"
    digest = Digest.of(content)
    with TokenBook(tmp_path) as book:
        tokens = {role: book.create(role, name="", now=1.0)[1] for role in Role}
    async with serving(Settings(tmp_path, ListenAddress("127.0.0.1", 0), require_token=True)) as served:
        async with open_remote_store(served.url) as store:
            with pytest.raises(StoreRefusedError, match="401"):
                await store.put_blobs({digest: content})
            assert await store.find_missing([digest]) == {digest}
        for token in tokens.values():
            async with open_remote_store(served.url, token=token) as store:
                await store.put_blobs({digest: content})
        async with open_remote_store(served.url) as store:
            assert await store.get_blobs([digest]) == {digest: content}
        async with open_remote_store(served.url, token="ost_wrong") as store:
            with pytest.raises(StoreRefusedError):
                await store.get_blobs([digest])


async def test_a_run_whose_inputs_are_not_stored_is_refused(tmp_path: Path) -> None:
    async with serving(Settings(tmp_path, ListenAddress("127.0.0.1", 0))) as served, HttpController(served.url) as port:
        job = CommandJob("a", ("x",), inputs=str(Digest.of(b"nothing")))
        with pytest.raises(UserError, match="the inputs of a are not in the store") as caught:
            await port.submit_commands(CommandRun("r1", "me", (job,)))
        assert caught.value.hint == "upload them first"
