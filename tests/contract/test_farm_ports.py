"""The promises of the worker port and the command port, on every way to a controller."""

import asyncio
import functools
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import msgspec
import pytest
from tests.servers.farm import Caller, Port, direct_farm, distant_farm, jobs

from outspread.controller.command_values import AttemptEnd, AttemptLogPiece, CommandJob, CommandRun, StopReason
from outspread.controller.values import JobState, Outcome
from outspread.errors import ConflictError, NotFoundError, UserError

OpenPort = Callable[[], AbstractAsyncContextManager[Port]]


@pytest.fixture(params=["direct", "over HTTP"])
def open_port(request: pytest.FixtureRequest, tmp_path: Path) -> OpenPort:
    if request.param == "direct":
        return functools.partial(direct_farm, tmp_path)
    return functools.partial(distant_farm, tmp_path)


async def test_a_run_is_accepted_once(open_port: OpenPort) -> None:
    async with open_port() as port:
        run = CommandRun("r1", "me", jobs("a", "b"), name="first", project="p")
        status = await port.submit_commands(run)
        assert (status.run_id, status.name, status.owner, status.project, status.state) == ("r1", "first", "me", "p", "running")
        assert (status.counts.total, status.counts.queued) == (2, 2)
        assert await port.submit_commands(run) == status
        with pytest.raises(ConflictError, match=r"cannot submit run r1: .*other content"):
            await port.submit_commands(CommandRun("r1", "me", jobs("a")))
        with pytest.raises(UserError, match=r"job 0 .*no command"):
            await port.submit_commands(CommandRun("r2", "me", (CommandJob("a", ()),)))
        assert [each.run_id for each in await port.command_runs()] == ["r1"]


async def test_runs_are_listed_newest_first(open_port: OpenPort) -> None:
    async with open_port() as port:
        for number in range(3):
            await port.submit_commands(CommandRun(f"r{number}", "me" if number else "you", jobs("a")))
            await asyncio.sleep(0.002)
        runs = await port.command_runs(limit=2)
        assert [run.run_id for run in runs] == ["r2", "r1"]
        assert [run.run_id for run in await port.command_runs(before=runs[-1].submitted_at)] == ["r0"]
        assert [run.run_id for run in await port.command_runs(owner="you")] == ["r0"]
        assert len(await port.command_runs(limit=10**9)) == 3


async def test_what_is_not_there_is_not_found(open_port: OpenPort) -> None:
    async with open_port() as port:
        await port.submit_commands(CommandRun("r1", "me", jobs("a")))
        for asked in (
            port.progress("nix"),
            port.cancel("nix", ""),
            port.jobs("nix"),
            port.job("r1", "nix"),
            port.job("r1", 7),
            port.submission("nix", (0,)),
            port.log_part("r1.0.1"),
            port.log_part("r1"),
            port.hold_worker("nix", reason="", for_s=1),
        ):
            with pytest.raises(NotFoundError, match=r"cannot (find|hold)"):
                await asked


@pytest.mark.parametrize("name", ["", ".", "..", "r1/jobs", "../runs/r1", "r1?limit=1", "%72%31", "ü"])
async def test_what_is_no_id_at_all_is_not_found_either(open_port: OpenPort, name: str) -> None:
    async with open_port() as port:
        await port.submit_commands(CommandRun("r1", "me", jobs("a")))
        for asked in (port.progress(name), port.cancel(name, ""), port.jobs(name), port.job(name, 0)):
            with pytest.raises(NotFoundError, match=r"cannot (find|cancel) run .*: there is no such run"):
                await asked


async def test_a_run_is_known_by_the_beginning_of_its_id(open_port: OpenPort) -> None:
    async with open_port() as port:
        for run_id in ("abc1", "abd1"):
            await port.submit_commands(CommandRun(run_id, "me", jobs("a")))
        assert (await port.progress("abc")).status.run_id == "abc1"
        with pytest.raises(UserError, match="several"):
            await port.progress("ab")


async def test_a_worker_is_handed_what_was_submitted(open_port: OpenPort) -> None:
    async with open_port() as port:
        job = CommandJob("a/b", ("sh", "-c", "echo 'ü'"), environment={"A": "1"}, outputs=("*.xml",), retries=2)
        await port.submit_commands(CommandRun("r1", "me", (job,)))
        (claim,) = (await Caller(port).call()).claims
        assert msgspec.json.decode(claim.job, type=CommandJob) == job
        assert (claim.run_id, claim.number, claim.attempt, claim.owner) == ("r1", 0, 1, "me")


async def test_a_waiting_worker_is_answered_when_there_is_work(open_port: OpenPort) -> None:
    async with open_port() as port:
        waiting = asyncio.create_task(Caller(port).call(wait_s=30))
        while not await port.workers():
            await asyncio.sleep(0.005)
        began = time.monotonic()
        await port.submit_commands(CommandRun("r1", "me", jobs("a")))
        assert len((await waiting).claims) == 1
        assert time.monotonic() - began < 5
        assert (await Caller(port, "bob").call(wait_s=0.02)).claims == ()


async def test_whoever_waits_for_progress_is_told(open_port: OpenPort) -> None:
    async with open_port() as port:
        await port.submit_commands(CommandRun("r1", "me", jobs("a", "b")))
        first = await port.progress("r1", wait_s=0.02)
        assert (first.ended, first.cursor) == ((), 0)
        waiting = asyncio.create_task(port.progress("r1", wait_s=30))
        ann = Caller(port)
        (claim,) = (await ann.call()).claims
        await ann.call(ended=(AttemptEnd(claim.fence, Outcome.FAILED, exit_code=3, reason="exit code 3", run_s=1.5),))
        told = await waiting
        (attempt,) = told.ended
        assert (attempt.attempt_id, attempt.job, attempt.outcome, attempt.exit_code) == ("r1.0.1", "a", Outcome.FAILED, 3)
        assert (attempt.reason, attempt.run_s, attempt.worker) == ("exit code 3", 1.5, "ann")
        assert (told.cursor, told.more, told.status.counts.failed) == (1, False, 1)
        assert (await port.progress("r1", cursor=1)).ended == ()


async def test_a_log_is_what_was_printed(open_port: OpenPort) -> None:
    async with open_port() as port:
        await port.submit_commands(CommandRun("r1", "me", jobs("a")))
        ann = Caller(port)
        (claim,) = (await ann.call()).claims
        printed = b"\xff\x00<script>\r\n"
        await ann.call(begun=(claim.fence,), pieces=(AttemptLogPiece(claim.fence, 0, printed),))
        part = await port.log_part("r1.0.1")
        assert (part.data, part.offset, part.total_bytes, part.ended) == (printed, 0, len(printed), False)
        waiting = asyncio.create_task(port.log_part("r1.0.1", offset=len(printed), wait_s=30))
        orders = await ann.call()
        while not orders.watched:
            await asyncio.sleep(0.005)
            orders = await ann.call()
        assert orders.watched == (claim.fence,)
        end = AttemptEnd(claim.fence, Outcome.PASSED, exit_code=0, pieces=2)
        await ann.call(pieces=(AttemptLogPiece(claim.fence, 1, b"end\n"),), ended=(end,))
        part = await waiting
        assert (part.data, part.ended) == (b"end\n", True)
        part = await port.log_part("r1.0.1", offset=1, limit=3)
        assert (part.data, part.offset, part.total_bytes) == (printed[1:4], 1, len(printed) + 4)


async def test_jobs_are_chosen_and_come_page_by_page(open_port: OpenPort) -> None:
    async with open_port() as port:
        unmet = CommandJob("%2F", ("x",), requires={"os": "plan9"})
        await port.submit_commands(CommandRun("r1", "me", (*jobs("a", "b 100%", "c&d/é?=#"), unmet)))
        ann = Caller(port)
        (claim,) = (await ann.call()).claims
        await ann.call(ended=(AttemptEnd(claim.fence, Outcome.FAILED, exit_code=1),), free=0)
        page = await port.jobs("r1", limit=3)
        assert ([job.name for job in page.jobs], page.next) == (["a", "b 100%", "c&d/é?=#"], 2)
        assert [job.name for job in (await port.jobs("r1", after=2)).jobs] == ["%2F"]
        assert [job.number for job in (await port.jobs("r1", state=JobState.QUEUED)).jobs] == [1, 2, 3]
        assert [job.number for job in (await port.jobs("r1", outcome=Outcome.FAILED)).jobs] == [0]
        assert [job.number for job in (await port.jobs("r1", flaky=True)).jobs] == []
        assert [job.number for job in (await port.jobs("r1", flaky=False)).jobs][:1] == [0]
        assert [job.number for job in (await port.jobs("r1", text="&d/é?=")).jobs] == [2]
        for number, name in enumerate(["a", "b 100%", "c&d/é?=#", "%2F"]):
            assert (await port.job("r1", name)).number == number
            assert (await port.job("r1", number)).name == name
        assert (await port.job("r1", 0)).attempts[0].exit_code == 1
        assert "plan9" in (await port.job("r1", 3)).waiting


async def test_a_rerun_is_made_of_what_was_submitted(open_port: OpenPort) -> None:
    async with open_port() as port:
        run = CommandRun("r1", "me", jobs("a", "b", "c", retries=1), name="n", project="p")
        await port.submit_commands(run)
        again = await port.submission("r1", (0, 2))
        assert again.jobs == (run.jobs[0], run.jobs[2])
        assert (again.owner, again.name, again.project) == ("me", "n", "p")


async def test_cancel_reaches_those_that_run_and_is_final(open_port: OpenPort) -> None:
    async with open_port() as port:
        await port.submit_commands(CommandRun("r1", "me", jobs("a", "b")))
        ann = Caller(port)
        (claim,) = (await ann.call()).claims
        waiting = asyncio.create_task(ann.call(begun=(claim.fence,), wait_s=30))
        while not (await port.workers())[0].running:
            await asyncio.sleep(0.005)
        await port.cancel("r1", "no use")
        (stop,) = (await waiting).stops
        assert (stop.fence, stop.reason) == (claim.fence, StopReason.CANCELLED)
        await ann.call(ended=(AttemptEnd(claim.fence, Outcome.CANCELLED),))
        await port.cancel("r1", "again")
        status = (await port.progress("r1")).status
        assert (status.state, status.cancel_reason, status.counts.cancelled) == ("cancelled", "no use", 2)


async def test_what_is_said_twice_changes_nothing(open_port: OpenPort) -> None:
    async with open_port() as port:
        await port.submit_commands(CommandRun("r1", "me", jobs("a")))
        ann = Caller(port)
        (claim,) = (await ann.call()).claims
        end = AttemptEnd(claim.fence, Outcome.PASSED, exit_code=0, pieces=1)
        piece = AttemptLogPiece(claim.fence, 0, b"x")
        await ann.call(ended=(end,), pieces=(piece,), begun=(claim.fence,))
        orders = await ann.call(ended=(end,), pieces=(piece,), begun=(claim.fence,))
        assert [stop.reason for stop in orders.stops] in ([], [StopReason.LOST])
        progress = await port.progress("r1")
        assert (len(progress.ended), progress.status.counts.passed) == (1, 1)
        assert (await port.log_part("r1.0.1")).data == b"x"


async def test_a_held_worker_takes_nothing(open_port: OpenPort) -> None:
    async with open_port() as port:
        ann = Caller(port, slots=2, dimensions={"os": "debian"})
        await ann.call()
        await port.hold_worker("ann", reason="its disk", for_s=100)
        await port.submit_commands(CommandRun("r1", "me", jobs("a")))
        assert (await ann.call()).claims == ()
        (worker,) = await port.workers()
        assert (worker.name, worker.slots, worker.dimensions, worker.hold) == ("ann", 2, {"os": "debian"}, "its disk")
        await port.hold_worker("ann", reason="", for_s=0)
        assert len((await ann.call()).claims) == 1


async def test_the_record_tells_what_is_flaky(open_port: OpenPort) -> None:
    async with open_port() as port:
        await port.submit_commands(CommandRun("r1", "me", jobs("a", retries=1), project="p"))
        ann = Caller(port)
        (claim,) = (await ann.call()).claims
        (retry,) = (await ann.call(ended=(AttemptEnd(claim.fence, Outcome.FAILED, exit_code=1),))).claims
        await ann.call(ended=(AttemptEnd(retry.fence, Outcome.PASSED, exit_code=0),))
        assert [attempt.outcome for attempt in await port.job_history("p", "a")] == [Outcome.PASSED, Outcome.FAILED]
        assert await port.job_history("q", "a") == []
        (flaky,) = await port.flaky_jobs()
        assert (flaky.project, flaky.key, flaky.flaky, flaky.decided, flaky.last_run) == ("p", "a", 1, 1, "r1")
        assert await port.flaky_jobs(project="q") == []
        assert await port.flaky_jobs(since=time.time() + 1000) == []
