"""The controller of a farm on its real record: what is told is durable, a restart loses nothing, a full disk neither."""

import asyncio
import logging
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from outspread.controller.command_values import (
    AttemptEnd,
    AttemptLogPiece,
    Claim,
    CommandJob,
    CommandNews,
    CommandOrders,
    CommandRun,
    LogPart,
    StopReason,
)
from outspread.controller.exchange_values import Exchange
from outspread.controller.farm import farm_ledger
from outspread.controller.farm.commit_queue import RecordError
from outspread.controller.farm.farm_changes import AcceptedJob, AttemptOver, JobsComing, RunComing
from outspread.controller.farm.farm_controller import FarmController
from outspread.controller.farm.farm_ledger import FarmLedger
from outspread.controller.farm.farm_recorder import FarmRecorder
from outspread.controller.values import JobState, Outcome
from outspread.errors import ConflictError, InfrastructureError, UserError

Open = Callable[..., AbstractAsyncContextManager[FarmController]]


@pytest.fixture
def controller(tmp_path: Path) -> Open:
    @asynccontextmanager
    async def open_controller(**options: Any) -> AsyncIterator[FarmController]:
        ledger = FarmLedger(tmp_path / "state", wall=time.time)
        controller = FarmController(ledger, **options)
        await controller.open()
        try:
            yield controller
        finally:
            await controller.close()

    return open_controller


def jobs(*names: str, retries: int = 0) -> tuple[CommandJob, ...]:
    return tuple(CommandJob(name=name, command=("x",), retries=retries) for name in names)


class Caller:
    """A worker's calls."""

    def __init__(self, name: str = "ann", *, slots: int = 1) -> None:
        self.name = name
        self.slots = slots
        self.sequence = 0
        self.holding: set[int] = set()

    async def call(
        self,
        controller: FarmController,
        *,
        begun: tuple[int, ...] = (),
        ended: tuple[AttemptEnd, ...] = (),
        pieces: tuple[AttemptLogPiece, ...] = (),
        wait_s: float = 0.0,
    ) -> CommandOrders:
        self.sequence += 1
        self.holding -= {end.fence for end in ended}
        news = CommandNews(
            incarnation=self.name,
            sequence=self.sequence,
            slots=self.slots,
            free=1,
            holding=tuple(self.holding),
            begun=begun,
            ended=ended,
            pieces=pieces,
        )
        orders = (await controller.exchange(Exchange(self.name, 0, wait_s=wait_s, commands=news))).commands
        assert orders is not None
        self.holding |= {claim.fence for claim in orders.claims}
        return orders


def test_a_run_from_submission_to_its_log(controller: Open) -> None:
    async def scenario() -> None:
        async with controller() as farm:
            ann = Caller()
            run = CommandRun("r1", "me", jobs("a", "b", retries=1), project="p")
            await farm.submit_commands(run)
            (claim,) = (await ann.call(farm)).claims
            await ann.call(farm, begun=(claim.fence,), pieces=(AttemptLogPiece(claim.fence, 0, b"one\n"),))
            part = await farm.log_part("r1.0.1")
            assert (part.data, part.ended) == (b"one\n", False)
            reading = asyncio.create_task(farm.log_part("r1.0.1", offset=4, wait_s=10))
            await asyncio.sleep(0)
            while not (watched := (await ann.call(farm)).watched):
                await asyncio.sleep(0.01)
            assert watched == (claim.fence,)
            ended = AttemptEnd(claim.fence, Outcome.FAILED, exit_code=3, reason="exit code 3", pieces=2)
            (retry,) = (await ann.call(farm, ended=(ended,), pieces=(AttemptLogPiece(claim.fence, 1, b"two\n"),))).claims
            part = await reading
            assert (part.data, part.ended, part.total_bytes) == (b"two\n", True, 8)
            claims: tuple[Claim, ...] = (retry,)
            while claims:
                claims = (await ann.call(farm, ended=(AttemptEnd(claims[0].fence, Outcome.PASSED, exit_code=0),))).claims
            progress = await farm.progress("r1")
            assert progress.status.state == "done"
            assert (progress.status.counts.passed, progress.status.counts.flaky) == (2, 1)
            assert [(each.job, each.outcome) for each in progress.ended] == [
                ("a", Outcome.FAILED),
                ("b", Outcome.PASSED),
                ("a", Outcome.PASSED),
            ]
            assert (await farm.progress("r1", cursor=progress.cursor, wait_s=5)).ended == ()
            page = await farm.jobs("r1", flaky=True)
            assert [job.name for job in page.jobs] == ["a"]
            assert [attempt.exit_code for attempt in page.jobs[0].attempts] == [3, 0]
            assert [job.name for job in (await farm.jobs("r1", limit=1)).jobs] == ["a"]
            assert (await farm.jobs("r1", limit=1)).next == 0
            assert [job.name for job in (await farm.jobs("r1", after=0, text="b")).jobs] == ["b"]
            assert (await farm.submission("r1", (1,))).jobs == (jobs("b", retries=1)[0],)
            assert [flaky.key for flaky in await farm.flaky_jobs()] == ["a"]
            assert len(await farm.job_history("p", "a")) == 2
            assert [run.run_id for run in await farm.command_runs()] == ["r1"]

    asyncio.run(scenario())


def test_the_log_has_a_line_for_each_attempt_and_run(controller: Open, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        async with controller() as farm:
            ann = Caller()
            await farm.submit_commands(CommandRun("r1", "me", jobs("a", retries=1)))
            (claim,) = (await ann.call(farm)).claims
            failed = AttemptEnd(claim.fence, Outcome.FAILED, run_s=2.0, reason="exit code 3")
            (claim,) = (await ann.call(farm, ended=(failed,))).claims
            await ann.call(farm, ended=(AttemptEnd(claim.fence, Outcome.PASSED),))

    with caplog.at_level(logging.INFO, "outspread.controller.farm"):
        asyncio.run(scenario())
    told = [(record.getMessage(), vars(record)) for record in caplog.records]
    assert [event for event, _ in told] == ["run accepted", "attempt ended", "attempt ended", "run over"]
    first = told[1][1]
    assert (first["attempt"], first["worker"], first["outcome"], first["job"]) == ("r1.0.1", "ann", "failed", "queued")
    assert (first["reason"], first["run_s"]) == ("exit code 3", 2.0)
    assert (told[3][1]["run"], told[3][1]["passed"], told[3][1]["flaky"]) == ("r1", 1, 1)


def test_what_an_operator_sees(controller: Open) -> None:
    async def scenario() -> None:
        async with controller() as farm:
            run = CommandRun("r1", "me", (*jobs("a", "b"), CommandJob("c", ("x",), requires={"kvm": "yes"})))
            await farm.submit_commands(run)
            ann = Caller()
            (claim, *_) = (await ann.call(farm)).claims
            await ann.call(farm, ended=(AttemptEnd(claim.fence, Outcome.PASSED, run_s=3.0),))
            figures = await farm.figures()
            assert [(lane.requires, lane.waiting) for lane in figures.lanes] == [("kvm=yes", 1)]
            assert 0 <= figures.lanes[0].oldest_s < 10
            assert sum(figures.commit.counts) == figures.commits >= 2
            assert sum(figures.exchange.counts) == 2
            assert figures.attempts == {"passed": 1}
            needed = await farm.slots_needed("r1", within_s=3.5)
            assert (needed.jobs, needed.slots, needed.connected_slots) == (2, 2, 1)
            assert needed.takes_s == pytest.approx(6.0)
            assert (await farm.slots_needed("r1", within_s=2.0)).slots is None
            with pytest.raises(UserError, match="it is no time"):
                await farm.slots_needed("r1", within_s=0.0)
            await farm.cancel("r1", "enough")
            assert (await farm.slots_needed("r1", within_s=1.0)).jobs == 0

    asyncio.run(scenario())


def test_what_is_printed_while_the_log_is_read_is_not_waited_for(controller: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        async with controller() as farm:
            ann = Caller()
            await farm.submit_commands(CommandRun("r1", "me", jobs("a")))
            (claim,) = (await ann.call(farm)).claims
            await ann.call(farm, begun=(claim.fence,))
            read, written = FarmLedger.read, False

            async def read_and_then_write(ledger: FarmLedger, question: Any) -> Any:
                nonlocal written
                answer = await read(ledger, question)
                if isinstance(answer, LogPart) and not written:
                    written = True
                    await ann.call(farm, pieces=(AttemptLogPiece(claim.fence, 0, b"one\n"),))
                return answer

            monkeypatch.setattr(FarmLedger, "read", read_and_then_write)
            async with asyncio.timeout(10):
                assert (await farm.log_part("r1.0.1", wait_s=30)).data == b"one\n"

    asyncio.run(scenario())


def test_who_comes_to_a_log_while_its_end_is_being_written_is_told_of_it(
    controller: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply, may_write = FarmRecorder.apply, threading.Event()

    def apply_later(recorder: FarmRecorder, changes: Any) -> None:
        if any(isinstance(change, AttemptOver) for change in changes):
            may_write.wait(10)
        apply(recorder, changes)

    monkeypatch.setattr(FarmRecorder, "apply", apply_later)

    async def scenario() -> None:
        async with controller() as farm:
            ann = Caller()
            await farm.submit_commands(CommandRun("r1", "me", jobs("a")))
            (claim,) = (await ann.call(farm)).claims
            await ann.call(farm, begun=(claim.fence,))
            ending = asyncio.create_task(ann.call(farm, ended=(AttemptEnd(claim.fence, Outcome.PASSED),)))
            while farm.current_figures().running:
                await asyncio.sleep(0.001)
            following = asyncio.create_task(farm.log_part("r1.0.1", wait_s=30))
            await asyncio.sleep(0.1)  # it has read what there is, if it does not wait
            may_write.set()
            async with asyncio.timeout(10):
                assert (await following).ended
            await ending

    asyncio.run(scenario())


def test_a_job_that_a_worker_has_not_begun_yet_says_whose_it_is(controller: Open) -> None:
    async def scenario() -> None:
        async with controller() as farm:
            await farm.submit_commands(CommandRun("r1", "me", jobs("a")))
            assert (await farm.job("r1", "a")).waiting == "there is no worker"
            await Caller().call(farm)
            job = await farm.job("r1", "a")
            assert (job.state, job.waiting, job.ahead) == (JobState.QUEUED, "worker ann has it at hand, to begin it next", 0)

    asyncio.run(scenario())


def test_the_same_submission_twice_is_one_run_and_another_is_refused(controller: Open) -> None:
    async def scenario() -> None:
        async with controller() as farm:
            run = CommandRun("r1", "me", jobs("a"))
            await asyncio.gather(*(farm.submit_commands(run) for _ in range(5)))
            with pytest.raises(ConflictError, match="other content"):
                await farm.submit_commands(CommandRun("r1", "me", jobs("b")))
            assert len((await Caller(slots=9).call(farm)).claims) == 1
        async with controller() as farm:
            await farm.submit_commands(run)
            assert (await farm.progress("r1")).status.counts.total == 1

    asyncio.run(scenario())


def test_a_submission_that_comes_as_another_one_fails_is_still_alone(controller: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """Found by the simulation: two of them were written, which no table takes."""
    under_way, begun = 0, 0

    async def submit(*_: object) -> None:
        nonlocal under_way, begun
        under_way, begun = under_way + 1, begun + 1
        assert under_way == 1
        await asyncio.sleep(0)
        under_way -= 1
        raise RecordError("cannot write")

    monkeypatch.setattr(FarmController, "_submit", submit)

    async def scenario() -> None:
        async with controller() as farm:
            run = CommandRun("r1", "me", jobs("a"))

            async def try_twice() -> None:
                for _ in range(2):
                    with pytest.raises(RecordError):
                        await farm.submit_commands(run)

            await asyncio.gather(*(try_twice() for _ in range(5)))

    asyncio.run(scenario())
    assert begun == 10


def test_only_the_whole_id_of_a_run_cancels_it(controller: Open) -> None:
    async def scenario() -> None:
        async with controller() as farm:
            await farm.submit_commands(CommandRun("b-10", "me", jobs("a")))
            with pytest.raises(UserError, match="there is no such run"):
                await farm.cancel("b-1", "enough")
            assert (await farm.progress("b-1")).status.counts.queued == 1
            await farm.cancel("b-10", "enough")

    asyncio.run(scenario())


def test_a_process_whose_name_another_has_taken_gets_nothing(controller: Open) -> None:
    async def scenario() -> None:
        async with controller() as farm:
            await farm.submit_commands(CommandRun("r1", "me", jobs("a", "b", "c")))
            second = Caller("ann")
            news = CommandNews("old", 1, 1, 1)
            assert (await farm.exchange(Exchange("ann", 0, commands=news))).commands is not None
            (claim,) = (await second.call(farm)).claims
            again = (await farm.exchange(Exchange("ann", 0, commands=CommandNews("old", 2, 9, 9)))).commands
            assert again is not None
            assert (again.claims, again.stops) == ((), ())
            await second.call(farm, begun=(claim.fence,))
            assert len((await farm.workers())[0].running) == 1

    asyncio.run(scenario())


def test_a_waiting_worker_is_answered_as_soon_as_there_is_work(controller: Open) -> None:
    async def scenario() -> None:
        async with controller() as farm:
            waiting = asyncio.create_task(Caller().call(farm, wait_s=30))
            await asyncio.sleep(0.05)
            assert not waiting.done()
            await farm.submit_commands(CommandRun("r1", "me", jobs("a")))
            async with asyncio.timeout(1):
                assert len((await waiting).claims) == 1

    asyncio.run(scenario())


def test_a_waiting_worker_is_told_of_a_cancel(controller: Open) -> None:
    async def scenario() -> None:
        async with controller() as farm:
            ann = Caller()
            await farm.submit_commands(CommandRun("r1", "me", jobs("a", "b")))
            (claim,) = (await ann.call(farm)).claims
            await ann.call(farm, begun=(claim.fence,))
            waiting = asyncio.create_task(ann.call(farm, wait_s=30))
            await asyncio.sleep(0.05)
            await farm.cancel("r1", "enough")
            async with asyncio.timeout(1):
                (stop,) = (await waiting).stops
            assert stop.reason is StopReason.CANCELLED
            await ann.call(farm, ended=(AttemptEnd(claim.fence, Outcome.CANCELLED),))
            progress = await farm.progress("r1")
            while progress.status.state == "running":
                progress = await farm.progress("r1", cursor=progress.cursor, wait_s=5)
            assert (progress.status.state, progress.status.counts.cancelled) == ("cancelled", 2)
            assert {job.state for job in (await farm.jobs("r1")).jobs} == {JobState.DONE, JobState.CANCELLED}

    asyncio.run(scenario())


def test_a_restart_loses_nothing_and_workers_deliver_later(controller: Open) -> None:
    async def scenario() -> None:
        ann, bob = Caller("ann", slots=2), Caller("bob")
        async with controller() as farm:
            await farm.submit_commands(CommandRun("r1", "me", jobs("a", "b", "c", retries=1)))
            first, second = (await ann.call(farm)).claims
            await ann.call(farm, begun=(first.fence,), pieces=(AttemptLogPiece(first.fence, 0, b"before "),))
        async with controller() as farm:
            (third,) = (await bob.call(farm)).claims
            assert third.number == 2
            assert third.fence >> 32 > first.fence >> 32
            ann.slots = 0
            ends = (AttemptEnd(first.fence, Outcome.FAILED, pieces=2), AttemptEnd(second.fence, Outcome.PASSED))
            await ann.call(farm, begun=(second.fence,), ended=ends, pieces=(AttemptLogPiece(first.fence, 1, b"after"),))
            assert (await farm.log_part("r1.0.1")).data == b"before after"
        async with controller() as farm:
            (retry,) = (await bob.call(farm, ended=(AttemptEnd(third.fence, Outcome.PASSED),))).claims
            assert (retry.number, retry.attempt) == (0, 2)
            await bob.call(farm, ended=(AttemptEnd(retry.fence, Outcome.FAILED),))
            status = (await farm.progress("r1")).status
            assert (status.state, status.counts.passed, status.counts.failed, status.counts.retried) == ("done", 2, 1, 1)
        async with controller() as farm:
            assert (await farm.progress("r1")).status == status

    asyncio.run(scenario())


def test_holds_outlive_a_restart(controller: Open) -> None:
    async def scenario() -> None:
        async with controller() as farm:
            await Caller().call(farm)
            await farm.hold_worker("ann", reason="repair", for_s=60)
            with pytest.raises(UserError, match="eve"):
                await farm.hold_worker("eve", reason="x", for_s=1)
        async with controller() as farm:
            await farm.submit_commands(CommandRun("r1", "me", jobs("a")))
            assert (await Caller().call(farm)).claims == ()
            assert (await farm.workers())[0].hold == "repair"
            assert "repair" in (await farm.job("r1", "a")).waiting
            await farm.hold_worker("ann", reason="", for_s=0)
            assert (await Caller().call(farm)).claims != ()

    asyncio.run(scenario())


def test_one_controller_at_a_time(controller: Open) -> None:
    async def scenario() -> None:
        async with controller():
            with pytest.raises(InfrastructureError, match="another controller has it"):
                async with controller():
                    pass

    asyncio.run(scenario())


def test_what_cannot_be_written_is_refused_and_goes_on_when_it_can(controller: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    full = False
    apply = FarmRecorder.apply

    def apply_if_there_is_room(recorder: FarmRecorder, changes: list[object]) -> None:
        if full:
            raise OSError(28, "No space left on device")
        apply(recorder, changes)  # type: ignore[arg-type]

    monkeypatch.setattr(FarmRecorder, "apply", apply_if_there_is_room)
    monkeypatch.setattr(farm_ledger, "_AGAIN_S", 0.02)

    async def scenario() -> None:
        nonlocal full
        async with controller() as farm:
            ann = Caller()
            await farm.submit_commands(CommandRun("r1", "me", jobs("a", "b")))
            (claim,) = (await ann.call(farm)).claims
            full = True
            with pytest.raises(RecordError, match="No space left"):
                await ann.call(farm, ended=(end := AttemptEnd(claim.fence, Outcome.PASSED),))
            with pytest.raises(RecordError, match="No space left"):
                await farm.submit_commands(CommandRun("r2", "me", jobs("c")))
            assert (await Caller("bob").call(farm)).claims == ()
            full = False
            deadline = time.monotonic() + 10
            while time.monotonic() < deadline:
                try:
                    await ann.call(farm, ended=(end,))
                    break
                except RecordError:
                    await asyncio.sleep(0.01)
            assert (await farm.progress("r1", wait_s=5)).status.counts.passed == 1
            await farm.submit_commands(CommandRun("r2", "me", jobs("c")))
            assert [claim.run_id for claim in (await Caller("bob", slots=9).call(farm)).claims] == ["r2"]

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("job", "message"),
    [
        (CommandJob(name="", command=("x",)), "it has no name"),
        (CommandJob(name="a", command=()), "it has no command"),
        (CommandJob(name="a", command=("x",), inputs="ABC/1"), "is no digest"),
        (CommandJob(name="a", command=("x",), directory="a/../.."), "outside of its tree"),
        (CommandJob(name="a", command=("x",), timeout_s=float("nan")), "timeout_s is not between"),
        (CommandJob(name="a", command=("x",), outputs=("../x",)), "does not lead into its tree"),
        (CommandJob(name="a", command=("x",), writable=("/abs",)), "does not lead into its tree"),
        (CommandJob(name="a", command=("x",), writable=("**/" * 14 + "x",)), r"more than 4 times \*\*"),
        (CommandJob(name="a", command=("x",), memory_bytes=1), "memory_bytes is neither 0 nor"),
        (CommandJob(name="a", command=("x",), retries=101), "retries is not between"),
        (CommandJob(name="a", command=("x\0",)), "NUL"),
        (CommandJob(name="a", command=("x",), environment={"A B": "c"}), "environment"),
        (CommandJob(name="a\nb", command=("x",)), "cannot be shown"),
        (CommandJob(name="a" * 500, command=("x",)), "longer than 400"),
        (CommandJob(name="a", command=("x" * 200_000,)), "the limit is"),
        (CommandJob(name="a", command=("x",), priority=10**9), "priority"),
    ],
)
def test_submissions_that_cannot_be(controller: Open, job: CommandJob, message: str) -> None:
    async def scenario() -> None:
        async with controller() as farm:
            with pytest.raises(UserError, match=message):
                await farm.submit_commands(CommandRun("r1", "me", (job,)))
            with pytest.raises(UserError, match="there twice"):
                await farm.submit_commands(CommandRun("r1", "me", jobs("a", "a")))
            with pytest.raises(UserError, match="an id is"):
                await farm.submit_commands(CommandRun("../r1", "me", jobs("a")))
            assert await farm.command_runs() == []

    asyncio.run(scenario())


def test_a_run_whose_inputs_are_not_there_is_refused(tmp_path: Path) -> None:
    there, gone = f"{'a' * 64}/1", f"{'b' * 64}/1"

    async def missing(trees: set[str]) -> set[str]:
        return trees - {there}

    async def scenario() -> None:
        farm = FarmController(FarmLedger(tmp_path, wall=time.time), missing_trees=missing)
        await farm.open()
        await farm.submit_commands(CommandRun("r1", "me", (CommandJob(name="a", command=("x",), inputs=there),)))
        with pytest.raises(UserError, match="inputs of b are not in the store"):
            await farm.submit_commands(CommandRun("r2", "me", (CommandJob(name="b", command=("x",), inputs=gone),)))
        await farm.close()

    asyncio.run(scenario())


def test_what_is_forgotten_needs_nothing_any_more(controller: Open, tmp_path: Path) -> None:
    tree, outputs = f"{'a' * 64}/1", f"{'c' * 64}/2"

    async def scenario() -> None:
        async with controller() as farm:
            ann = Caller()
            await farm.submit_commands(CommandRun("r1", "me", (CommandJob(name="a", command=("x",), inputs=tree),)))
            (claim,) = (await ann.call(farm)).claims
            end = AttemptEnd(claim.fence, Outcome.PASSED, outputs=outputs, pieces=1)
            assert await farm.forget_runs(finished_before=time.time() + 9) == 0
            await ann.call(farm, ended=(end,), pieces=(AttemptLogPiece(claim.fence, 0, b"log"),))
            assert await farm.needed_trees() == {tree, outputs}
            assert (tmp_path / "state/logs/r1.log").exists()
            assert await farm.forget_runs(finished_before=time.time() - 9) == 0
            assert await farm.forget_runs(finished_before=time.time() + 9) == 1
            assert await farm.needed_trees() == set()
            assert not (tmp_path / "state/logs/r1.log").exists()
            with pytest.raises(UserError, match="no such run"):
                await farm.progress("r1")
            figures = await farm.figures()
            assert (figures.attempts, figures.claims, figures.running, figures.slots) == ({"passed": 1}, 1, 0, 1)

    asyncio.run(scenario())


def test_a_large_run_that_cannot_be_written_whole_is_none(controller: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(farm_ledger, "_AGAIN_S", 0.02)
    apply = FarmRecorder.apply
    full = True

    def apply_if_there_is_room(recorder: FarmRecorder, changes: Any) -> None:
        if full and any(isinstance(change, JobsComing) and change.first == 2 for change in changes):
            raise OSError(28, "No space left on device")
        apply(recorder, changes)

    monkeypatch.setattr(FarmRecorder, "apply", apply_if_there_is_room)
    run = CommandRun("r1", "me", jobs("a", "b", "c", "d", "e"))

    async def scenario() -> None:
        nonlocal full
        async with controller(jobs_at_once=2) as farm:
            with pytest.raises(RecordError, match="No space left"):
                await farm.submit_commands(run)
            assert await farm.command_runs() == []
            full = False
            status = await farm.submit_commands(run)
            assert status.counts.queued == 5
            assert [job.name for job in (await farm.jobs("r1")).jobs] == ["a", "b", "c", "d", "e"]
            ann = Caller(slots=9)
            assert len((await ann.call(farm)).claims) == 5

    asyncio.run(scenario())


def test_what_was_being_written_when_a_controller_died_is_none_and_goes(controller: Open, tmp_path: Path) -> None:
    run = CommandRun("r1", "me", jobs("a", "b"))
    coming = RunComing(run_id="r1", digest="0" * 64, owner="me", name="", project="", total=2, at=1.0)
    part = JobsComing("r1", 0, (AcceptedJob("a", "", 0, b'{"name":"a","command":["x"]}'),))

    async def scenario() -> None:
        ledger = FarmLedger(tmp_path / "state", wall=time.time)
        await ledger.open(1)
        await ledger.record_or_withdraw([coming, part])
        await ledger.close()
        async with controller() as farm:
            assert await farm.command_runs() == []
            with pytest.raises(UserError, match="no such run"):
                await farm.progress("r1")
            assert (await farm.submit_commands(run)).counts.queued == 2
            assert await farm.forget_runs(finished_before=time.time()) == 0
        with sqlite3.connect(tmp_path / "state/state.db") as connection:
            assert connection.execute("SELECT run_id FROM runs").fetchall() == [("r1",)]
            assert connection.execute("SELECT name FROM jobs").fetchall() == [("a",), ("b",)]
            assert connection.execute("SELECT count(*) FROM commands").fetchone() == (2,)
        connection.close()

    asyncio.run(scenario())


def test_a_run_of_many_jobs_is_forgotten_in_parts_and_its_id_is_free(controller: Open, tmp_path: Path) -> None:
    run = CommandRun("r1", "me", jobs("a", "b", "c", "d", "e"))

    async def scenario() -> None:
        async with controller(jobs_at_once=2) as farm:
            for _ in range(2):
                await farm.submit_commands(run)
                ann = Caller(slots=9)
                claims = (await ann.call(farm)).claims
                pieces = tuple(AttemptLogPiece(claim.fence, 0, b"log") for claim in claims)
                ends = tuple(AttemptEnd(claim.fence, Outcome.PASSED, pieces=1) for claim in claims)
                await ann.call(farm, ended=ends, pieces=pieces)
                before = (await farm.figures()).commits
                assert await farm.forget_runs(finished_before=time.time() + 9) == 1
                assert (await farm.figures()).commits - before == 1 + 3 + 1
                assert not (tmp_path / "state/logs/r1.log").exists()
        with sqlite3.connect(tmp_path / "state/state.db") as connection:
            for table in ("runs", "jobs", "commands", "attempts"):
                assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)
        connection.close()

    asyncio.run(scenario())
