"""A run is followed to its end without keeping its controller busy; pages and logs are read whole."""

import asyncio

import pytest
from tests.servers.memory_port import MemoryPort

from outspread.client.following import all_jobs, follow, log_end, log_parts
from outspread.client.naming import find_attempt, find_job
from outspread.client.reruns import rerun_of
from outspread.controller.command_values import CommandJob, CommandRun, RunProgress
from outspread.controller.values import Outcome
from outspread.errors import NotFoundError, UserError


def port_with(*jobs: str, run_id: str = "r1") -> MemoryPort:
    """Return a controller that has accepted a run of jobs, each named as it ends and by its number."""
    port = MemoryPort()
    commands = tuple(CommandJob(name=f"{word}-{number}", command=(word, "log")) for number, word in enumerate(jobs))
    asyncio.run(port.submit_commands(CommandRun(run_id, "me", commands)))
    return port


async def followed(port: MemoryPort) -> list[RunProgress]:
    return [progress async for progress in follow(port, "r1", clock=lambda: 0.0)]


def test_each_attempt_is_told_once() -> None:
    port = port_with("pass", "flaky", "fail")
    told = [attempt.attempt_id for progress in asyncio.run(followed(port)) for attempt in progress.ended]
    assert told == ["r1.0.1", "r1.1.1", "r1.1.2", "r1.2.1"]
    assert len(asyncio.run(followed(port))) == 1  # over already


def test_who_has_waited_long_asks_less_often(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr("outspread.client.following.asyncio.sleep", sleep)
    port = port_with(*["pass"] * 4)
    times = iter([0.0, 0.0, 1.0, 100.0])

    async def scenario() -> None:
        async for _ in follow(port, "r1", clock=lambda: next(times)):
            pass

    asyncio.run(scenario())
    assert pauses == [0.0, 0.05, 0.25]


def test_pages_are_put_together() -> None:
    port = port_with(*["pass"] * 5)
    asyncio.run(followed(port))

    async def names() -> list[str]:
        return [job.name async for job in all_jobs(port, "r1", outcome=Outcome.PASSED)]

    assert asyncio.run(names()) == [f"pass-{number}" for number in range(5)]


def test_a_log_in_parts_and_its_end() -> None:
    port = port_with("pass")

    async def whole() -> bytes:
        return b"".join([part.data async for part in log_parts(port, "r1.0.1", to_the_end=False)])

    assert asyncio.run(whole()) == b"pass\nlog\n"
    assert asyncio.run(log_end(port, "r1.0.1", limit_bytes=4)) == b"log\n"
    assert asyncio.run(log_end(port, "r1.0.1", limit_bytes=100)) == b"pass\nlog\n"


@pytest.mark.parametrize(
    ("name", "number"), [("r1.1", 1), ("r1.1.7", 1), ("fail-1", 1), ("fail", 1), ("pass-0", 0), ("pass-12", 12)]
)
def test_a_job_is_found_by_id_name_or_part_of_it(name: str, number: int) -> None:
    port = port_with("pass", "fail", *["pass"] * 11)
    assert asyncio.run(find_job(port, name, in_run=lambda: "r1")).number == number


def test_a_name_that_looks_like_an_id_is_found_all_the_same() -> None:
    port = MemoryPort()
    asyncio.run(port.submit_commands(CommandRun("r1", "me", (CommandJob(name="python3.11", command=("pass",)),))))
    assert asyncio.run(find_job(port, "python3.11", in_run=lambda: "r1")).number == 0
    asyncio.run(followed(port))
    assert asyncio.run(find_attempt(port, "python3.11", in_run=lambda: "r1")).attempt_id == "r1.0.1"


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("nothing", NotFoundError, "run r1 has none"),
        ("r2.0", NotFoundError, "cannot find run r2"),
        ("pass", UserError, "several are named so: pass-0, pass-1"),
    ],
)
def test_a_job_that_is_not_found(name: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        asyncio.run(find_job(port_with("pass", "pass"), name, in_run=lambda: "r1"))


def test_an_attempt_is_the_last_one_unless_it_is_numbered() -> None:
    port = port_with("flaky", "wait")
    for _ in range(2):
        asyncio.run(port.progress("r1"))

    def found(name: str) -> str:
        return asyncio.run(find_attempt(port, name, in_run=lambda: "r1")).attempt_id

    assert [found(name) for name in ("flaky-0", "r1.0", "r1.0.1")] == ["r1.0.2", "r1.0.2", "r1.0.1"]
    with pytest.raises(NotFoundError, match="no worker has os=plan9"):
        found("wait-1")


def test_a_rerun_is_of_the_same_jobs_under_another_id() -> None:
    port = port_with("pass", "fail", "lose", "flaky", "wait")
    for _ in range(5):
        asyncio.run(port.progress("r1"))

    def again(*, only_failed: bool) -> CommandRun:
        return asyncio.run(rerun_of(port, "r1", only_failed=only_failed, new_id="r2", owner="you"))

    assert [job.name for job in again(only_failed=True).jobs] == ["fail-1", "lose-2"]
    assert (again(only_failed=True).run_id, again(only_failed=True).owner) == ("r2", "you")
    assert len(again(only_failed=False).jobs) == 5
    asyncio.run(port.cancel("r1", "enough"))
    assert [job.name for job in again(only_failed=True).jobs] == ["fail-1", "lose-2", "wait-4"]
