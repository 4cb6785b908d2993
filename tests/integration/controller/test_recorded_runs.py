"""Runs through the embedded controller with its record in SQLite, and what is left of them."""

import asyncio
import contextlib
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.peak_memory import PeakMemory

from outspread.controller.embedded import EmbeddedController
from outspread.controller.exchange_values import Exchange
from outspread.controller.sqlite_ledger import SqliteLedger
from outspread.controller.values import (
    AttemptFinished,
    AttemptStarted,
    JobWanted,
    Level,
    MachineAllocated,
    MachineDiscarding,
    MachineGone,
    MachineKept,
    MachineRequested,
    MachineReused,
    MachineState,
    Order,
    Outcome,
    Report,
    RunFinished,
    RunOptions,
    RunSpec,
    Seat,
    SeatClosed,
    Verb,
)
from outspread.errors import InfrastructureError, UserError
from outspread.project.model import Job, Project


class Site:
    """A controller over a state directory, and what it warned of."""

    def __init__(self, directory: Path, wall: Callable[[], float] = time.time) -> None:
        self.warnings: list[str] = []
        self.ledger = SqliteLedger(directory, warn=self.warnings.append, wall=wall)
        self.controller = EmbeddedController(self.ledger, wall=wall)


async def carry(site: Site, run: RunSpec, *, outcome: Outcome = Outcome.PASSED, log: str = "out\n", stop_after: int = -1) -> None:
    """Do a run's work as a worker does; stop dead after so many jobs."""
    await site.controller.submit(run)
    seats = (await site.controller.exchange(Exchange("w", 100))).seats
    for seat in seats:
        await say(site, seat, MachineRequested(time.time(), f"m-{seat.seat_id[-9:]}", seat.backend, seat.system, run.run_id))
        said: tuple[Report, ...] = ()
        while True:
            call = Exchange(
                "w",
                0,
                reports=tuple((run.run_id, report) for report in said),
                wants=(JobWanted(seat.seat_id, seat.fence),),
            )
            (given,) = (await site.controller.exchange(call)).assignments
            if given.job is None:
                break
            if stop_after == 0:
                return
            stop_after -= 1
            key = (seat.seat_id, given.fence, given.job.name, given.attempt)
            said = (
                AttemptStarted(time.time(), *key, "m", "b:s (one)"),
                AttemptFinished(
                    time.time(),
                    *key,
                    outcome,
                    0.25,
                    verb=Verb.EXECUTE,
                    level=Level.TASK,
                    exit_code=3,
                    reason="exit code 3",
                    log=log,
                ),
            )
        await say(site, seat, SeatClosed(time.time(), seat.seat_id, seat.fence))


async def say(site: Site, seat: Seat, *reports: Report) -> None:
    await site.controller.exchange(Exchange("w", 0, reports=tuple((seat.run_id, report) for report in reports)))


async def finished(site: Site, run: RunSpec, **how: object) -> RunFinished:
    watcher = site.controller.watch(run.run_id)
    await carry(site, run, **how)  # type: ignore[arg-type]  # passed through by name
    events = [event async for event in watcher]
    assert isinstance(events[-1], RunFinished)
    return events[-1]


def test_a_run_is_in_history_with_its_attempts(tmp_path: Path, make_run: Callable[..., RunSpec]) -> None:
    async def first() -> None:
        site = Site(tmp_path / "state")
        await finished(site, make_run("b:s:x/1", "b:s:x/2", options=RunOptions(order=Order.GIVEN)))
        await site.controller.close()
        assert site.warnings == []

    async def second() -> None:
        site = Site(tmp_path / "state")
        (summary,) = await site.controller.history()
        assert (summary.run_id, summary.project, summary.root, summary.owner) == ("run-1", "demo", "/demo", "me")
        assert (summary.state, summary.total_jobs, summary.passed, summary.failed) == ("done", 2, 2, 0)
        assert summary.finished_at is not None
        assert summary.finished_at >= summary.submitted_at
        assert await site.controller.history(project_root="/elsewhere") == []
        assert await site.controller.history(project_root="/demo") == [summary]
        detail = await site.controller.run_detail("ru")
        assert detail.summary == summary
        assert [(a.job, a.attempt, a.outcome, a.log) for a in detail.attempts] == [
            ("b:s:x/1", 1, Outcome.PASSED, "out\n"),
            ("b:s:x/2", 1, Outcome.PASSED, "out\n"),
        ]
        assert (detail.attempts[0].machine, detail.attempts[0].exit_code, detail.attempts[0].duration_s) == ("b:s (one)", 3, 0.25)
        with pytest.raises(UserError, match="no such run"):
            await site.controller.run_detail("other")
        await site.controller.close()

    asyncio.run(first())
    asyncio.run(second())
    assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700
    assert all(stat.S_IMODE(path.stat().st_mode) & 0o77 == 0 for path in (tmp_path / "state").iterdir())


def test_an_ambiguous_beginning_is_refused_but_a_whole_id_is_not(tmp_path: Path, make_run: Callable[..., RunSpec]) -> None:
    async def scenario() -> None:
        site = Site(tmp_path)
        for run_id in ("run-1", "run-12"):
            await finished(site, make_run("b:s:x/1", run_id=run_id))
        with pytest.raises(UserError, match="several begin with this: run-12, run-1"):
            await site.controller.run_detail("run")
        assert (await site.controller.run_detail("run-1")).summary.run_id == "run-1"
        await site.controller.close()

    asyncio.run(scenario())


def test_looking_at_history_makes_no_state(tmp_path: Path) -> None:
    async def scenario() -> None:
        site = Site(tmp_path / "state")
        assert await site.controller.history() == []
        with pytest.raises(UserError, match="nothing is recorded"):
            await site.controller.run_detail("r")
        await site.controller.close()

    asyncio.run(scenario())
    assert not (tmp_path / "state").exists()


def test_logs_are_kept_byte_exact_and_bounded(tmp_path: Path, make_run: Callable[..., RunSpec]) -> None:
    long = "a" * 3_000_000 + "\udcff" * 3_000_000

    async def scenario() -> None:
        site = Site(tmp_path)
        await finished(site, make_run("b:s:x/1"), log="bin\udcff\x00\u20ac\r\n")
        await finished(site, make_run("b:s:x/1", run_id="run-2"), log=long)
        assert (await site.controller.run_detail("run-1")).attempts[0].log == "bin\udcff\x00\u20ac\r\n"
        kept = await site.controller.attempt_log("run-2", "b:s:x/1")
        half = 2 * 1024 * 1024
        assert kept == "a" * half + f"\n[... {6_000_000 - 2 * half} bytes left out ...]\n" + "\udcff" * half
        await site.controller.close()

    asyncio.run(scenario())
    assert (tmp_path / "logs" / "run-1.log").read_bytes() == b"bin\xff\x00\xe2\x82\xac\r\n"


def test_a_run_is_read_with_the_ends_of_its_logs_and_each_log_whole(tmp_path: Path, make_run: Callable[..., RunSpec]) -> None:
    log = "line\n" * 200_000
    names = [f"b:s:x/{number}" for number in range(80)]  # more than what is read of all logs together

    async def scenario() -> None:
        site = Site(tmp_path)
        await carry(site, make_run(*names), outcome=Outcome.FAILED, log=log)
        for attempt in (await site.controller.run_detail("run-1")).attempts:
            assert len(attempt.log) < 100_000
            assert attempt.log.endswith("bytes left out ...]\n" + "line\n" * 13_107)
        assert await site.controller.attempt_log("run-1", names[-1]) == log
        assert await site.controller.attempt_log("run", names[-1], 1) == log
        with pytest.raises(UserError, match="attempt 2 of b:s:x/79: run run-1 has no such attempt"):
            await site.controller.attempt_log("run-1", names[-1], 2)
        await site.controller.close()

    asyncio.run(scenario())


def test_text_that_no_database_takes_does_no_harm(tmp_path: Path, make_run: Callable[..., RunSpec]) -> None:
    async def scenario() -> None:
        site = Site(tmp_path)
        await site.controller.submit(make_run("b:s:x/1"))
        (seat,) = (await site.controller.exchange(Exchange("w\udcff", 1))).seats
        await say(site, seat, SeatClosed(1.0, seat.seat_id, seat.fence, "caf\udce9"))
        (summary,) = await site.controller.history()
        assert (summary.state, summary.aborted) == ("done", 1)
        await site.controller.close()
        assert site.warnings == []

    asyncio.run(scenario())


def test_numbers_that_no_table_takes_do_no_harm(tmp_path: Path, make_run: Callable[..., RunSpec]) -> None:
    async def scenario() -> None:
        site = Site(tmp_path)
        jobs = [Job("b:s:x/1", "b", "s", "x/", "x/1", priority=10**30), Job("b:s:x/2", "b", "s", "x/", "x/2", priority=-(10**30))]
        await site.controller.submit(make_run(*jobs, options=RunOptions(seed=10**30)))
        (seat,) = (await site.controller.exchange(Exchange("w", 1))).seats
        for number, odd in enumerate((float("nan"), float("inf")), start=1):
            await site.controller.exchange(Exchange("w", 0, wants=(JobWanted(seat.seat_id, seat.fence),)))
            await say(site, seat, AttemptFinished(1.0, seat.seat_id, seat.fence, f"b:s:x/{number}", 1, Outcome.PASSED, odd))
        (summary,) = await site.controller.history()
        assert summary.passed == 2
        await site.controller.close()
        assert site.warnings == []

    asyncio.run(scenario())


def test_durations_decide_what_comes_first_next_time(tmp_path: Path, make_run: Callable[..., RunSpec]) -> None:
    async def scenario() -> None:
        site = Site(tmp_path)
        jobs = ["b:s:x/1", "b:s:x/2", "b:s:x/3"]
        await finished(site, make_run(*jobs))
        assert await site.ledger.durations("demo") == dict.fromkeys(jobs, 0.25)
        await site.ledger.settle()
        with contextlib.closing(sqlite3.connect(tmp_path / "state.db")) as other, other:
            other.execute("UPDATE durations SET duration_us = 9000000 WHERE job_key = 'b:s:x/2'")
        await site.controller.submit(make_run(*jobs, run_id="run-2", options=RunOptions(order=Order.LONGEST)))
        (seat,) = (await site.controller.exchange(Exchange("w", 1))).seats
        (given,) = (await site.controller.exchange(Exchange("w", 0, wants=(JobWanted(seat.seat_id, seat.fence),)))).assignments
        assert given.job is not None
        assert given.job.name == "b:s:x/2"
        await site.controller.close()

    asyncio.run(scenario())


def test_a_machine_is_on_record_before_it_is_asked_for_until_it_is_gone(tmp_path: Path, make_run: Callable[..., RunSpec]) -> None:
    async def scenario() -> None:
        site = Site(tmp_path)
        await site.controller.submit(make_run("b:s:x/1", "b:t:x/1"))
        seats = (await site.controller.exchange(Exchange("w", 2))).seats
        await say(site, seats[0], MachineRequested(1.0, "m1", "b", "s", "run-1", "adhoc", '{"asked": true}'))
        (asked,) = await site.ledger.machines()
        assert (asked.state, asked.record, asked.root) == (
            MachineState.REQUESTED,
            '{"asked": true}',
            make_run("b:s:x/1").project.root,
        )
        # Another look at the file, with no wait in between: the answer came when it was durable.
        with contextlib.closing(sqlite3.connect(tmp_path / "state.db")) as other:
            assert other.execute("SELECT machine_id, backend_type, state FROM machines").fetchall() == [
                ("m1", "adhoc", "requested")
            ]
        await say(site, seats[0], MachineAllocated(2.0, "m1", "b:s (one)", "10.0.0.1:22", "one", "{}"))
        await say(site, seats[1], MachineAllocated(2.0, "m2", "b:t (two)", "10.0.0.2:22", "two", "{}"))
        first, second = await site.ledger.machines()
        assert (first.machine_id, first.state, first.address, first.run_alive) == ("m1", MachineState.READY, "10.0.0.1:22", True)
        assert (second.backend, second.system) == ("b", "t")
        await say(site, seats[0], MachineDiscarding(3.0, "m1", "b:s (one)"), MachineGone(4.0, "m1", "b:s (one)"))
        for seat in seats:
            await say(site, seat, SeatClosed(5.0, seat.seat_id, seat.fence))
        assert [(entry.machine_id, entry.state) for entry in await site.ledger.machines()] == [("m2", MachineState.KEPT)]
        await site.controller.close()

    asyncio.run(scenario())


def test_a_machine_that_is_kept_goes_from_run_to_run(tmp_path: Path, make_run: Callable[..., RunSpec]) -> None:
    async def scenario() -> None:
        site = Site(tmp_path)
        for run_id, found in (
            ("run-1", MachineAllocated(1.0, "m1", "b:s (one)", "h1", "one", "{}", kept=True)),
            ("run-2", MachineReused(2.0, "m1", "b:s (one)", "h1", "one", '{"again": true}', kept=True)),
        ):
            await site.controller.submit(make_run("b:s:x/1", run_id=run_id))
            (seat,) = (await site.controller.exchange(Exchange("w", 1))).seats
            await say(site, seat, found)
            # at once, so that one whose run is killed is no orphan
            (machine,) = await site.controller.machines()
            assert (machine.run_id, machine.state, machine.run_alive) == (run_id, MachineState.KEPT, True)
            await say(site, seat, MachineKept(3.0, "m1", "b:s (one)", "h1"), SeatClosed(4.0, seat.seat_id, seat.fence))
        assert (await site.controller.run_detail("run-1")).machines == ()
        (machine,) = (await site.controller.run_detail("run-2")).machines
        assert (machine.record, machine.run_alive) == ('{"again": true}', False)
        await site.controller.exchange(Exchange("discard", 0, reports=(("run-2", MachineGone(5.0, "m1", "b:s (one)")),)))
        assert await site.controller.machines() == []
        await site.controller.close()

    asyncio.run(scenario())


def test_events_say_what_happened_and_why(tmp_path: Path, make_run: Callable[..., RunSpec]) -> None:
    async def scenario() -> None:
        site = Site(tmp_path)
        await finished(site, make_run("b:s:x/1"), outcome=Outcome.FAILED)
        await site.controller.submit(make_run("b:s:x/1", run_id="run-2"))
        await site.controller.cancel("run-2", "enough")
        await site.controller.close()
        with contextlib.closing(sqlite3.connect(tmp_path / "state.db")) as other:
            rows = other.execute("SELECT run_id, kind, object, reason FROM events ORDER BY event_key").fetchall()
        assert [row for row in rows if not row[1].startswith("machine")] == [
            ("run-1", "run-submitted", "demo", ""),
            ("run-1", "job-failed", "b:s:x/1", "exit code 3"),
            ("run-1", "run-finished", "run-1", "not passed"),
            ("run-2", "run-submitted", "demo", ""),
            ("run-2", "run-cancelled", "run-2", "enough"),
            ("run-2", "job-cancelled", "b:s:x/1", "enough"),
            ("run-2", "run-finished", "run-2", "not passed"),
        ]

    asyncio.run(scenario())


def test_old_runs_are_deleted_with_their_logs(tmp_path: Path, make_run: Callable[..., RunSpec]) -> None:
    day = [1_000_000.0]

    async def scenario() -> None:
        site = Site(tmp_path, wall=lambda: day[0])
        await finished(site, make_run("b:s:x/1", run_id="old"))
        day[0] += 31 * 24 * 3600
        for number in range(200):
            await site.controller.submit(make_run(run_id=f"run-{number}"))
            day[0] += 1
        await site.controller.close()
        assert site.warnings == []
        later = Site(tmp_path)
        history = await later.controller.history(limit=1000)
        assert len(history) == 200
        assert history[0].run_id == "run-199"
        await later.controller.close()

    asyncio.run(scenario())
    assert not (tmp_path / "logs" / "old.log").exists()


# --- what goes wrong with the file ---


def spoil_by_garbage(directory: Path) -> None:
    directory.mkdir()
    (directory / "state.db").write_bytes(b"this is no database\n" * 1000)


def spoil_by_newer_schema(directory: Path) -> None:
    asyncio.run(_make(directory))
    with contextlib.closing(sqlite3.connect(directory / "state.db")) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")


def spoil_by_a_file_in_its_place(directory: Path) -> None:
    directory.write_text("a file")


def spoil_by_a_directory_in_its_place(directory: Path) -> None:
    (directory / "state.db").mkdir(parents=True)


def spoil_by_torn_pages(directory: Path) -> None:
    asyncio.run(_make(directory))
    path = directory / "state.db"
    path.write_bytes(path.read_bytes()[:4096] + b"\x55" * 200_000)


async def _make(directory: Path) -> None:
    site = Site(directory)
    empty = Project(name="demo", root="/demo", file="/demo/spread.yaml", path="/remote", backends={}, suites={})
    await site.controller.submit(RunSpec("made", "me", empty, jobs=()))
    await site.controller.close()
    assert site.warnings == []


@pytest.mark.parametrize(
    "spoil",
    [
        spoil_by_garbage,
        spoil_by_newer_schema,
        spoil_by_a_file_in_its_place,
        spoil_by_a_directory_in_its_place,
        spoil_by_torn_pages,
    ],
)
def test_a_run_does_not_need_its_record(tmp_path: Path, make_run: Callable[..., RunSpec], spoil: Callable[[Path], None]) -> None:
    spoil(tmp_path / "state")
    asyncio.run(_runs_with_one_warning(tmp_path / "state", make_run))


async def _runs_with_one_warning(directory: Path, make_run: Callable[..., RunSpec]) -> None:
    site = Site(directory)
    ended = await finished(site, make_run("b:s:x/1", "b:s:x/2"))
    assert ended.passed
    with pytest.raises(InfrastructureError, match="cannot read the record"):
        await site.controller.history()
    await site.controller.close()
    (warning,) = site.warnings
    assert warning.startswith(f"cannot record in {directory}/state.db: ")
    assert warning.endswith("history and the addresses of kept machines are missing")


def test_who_only_reads_is_told_by_the_error_alone(tmp_path: Path, make_run: Callable[..., RunSpec]) -> None:
    (tmp_path / "state.db").write_text("this is no database")

    async def scenario() -> None:
        site = Site(tmp_path)
        for _ in range(2):
            with pytest.raises(InfrastructureError, match="file is not a database"):
                await site.controller.history()
        assert site.warnings == []
        await site.controller.submit(make_run("b:s:x/1"))
        assert len(site.warnings) == 1
        await site.controller.close()

    asyncio.run(scenario())


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "disk"
    place.mkdir()
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(place)], capture_output=True)
    if mount.returncode != 0:
        pytest.skip("mounting a small disk needs root")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def test_a_read_only_disk(small_disk: Path, make_run: Callable[..., RunSpec]) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    asyncio.run(_runs_with_one_warning(small_disk, make_run))
    asyncio.run(_runs_with_one_warning(small_disk / "below", make_run))


def test_a_disk_that_gets_full_in_the_middle_of_a_run(small_disk: Path, make_run: Callable[..., RunSpec]) -> None:
    async def scenario() -> None:
        site = Site(small_disk)
        ended = await finished(site, make_run(*(f"b:s:x/{n}" for n in range(50))), log="x" * 20_000)
        assert ended.passed
        await site.controller.close()
        assert len(site.warnings) == 1

    asyncio.run(scenario())


def test_a_record_deleted_in_the_middle_of_a_run(tmp_path: Path, make_run: Callable[..., RunSpec]) -> None:
    async def scenario() -> None:
        site = Site(tmp_path)
        await finished(site, make_run("b:s:x/1"))
        for path in tmp_path.glob("state.db*"):
            path.unlink()
        assert (await finished(site, make_run("b:s:x/1", run_id="run-2"))).passed
        await site.controller.close()
        assert len(site.warnings) == 1

    asyncio.run(scenario())


def test_a_record_that_another_holds_for_good(
    tmp_path: Path, make_run: Callable[..., RunSpec], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("outspread.controller.sqlite_ledger._BUSY_S", 0.05)
    asyncio.run(_make(tmp_path))
    with contextlib.closing(sqlite3.connect(tmp_path / "state.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        asyncio.run(_runs_with_one_warning(tmp_path, make_run))


def test_a_disk_that_does_not_answer(tmp_path: Path, make_run: Callable[..., RunSpec], monkeypatch: pytest.MonkeyPatch) -> None:
    answered = threading.Event()
    monkeypatch.setattr("outspread.controller.sqlite_ledger._STUCK_S", 0.05)
    monkeypatch.setattr("outspread.controller.attempt_logs.AttemptLogs.sync", lambda _: answered.wait(30))

    async def scenario() -> None:
        site = Site(tmp_path)
        assert (await finished(site, make_run("b:s:x/1", "b:s:x/2"))).passed
        await site.controller.close()
        (warning,) = site.warnings
        assert "the disk does not answer" in warning
        answered.set()
        assert site.ledger._thread is not None
        await asyncio.to_thread(site.ledger._thread.join)

    asyncio.run(scenario())


# --- several processes ---

CHILD = """
import asyncio, os, signal, sys
from pathlib import Path
sys.path.insert(0, {here!r})
import importlib.util
def load(name):
    spec = importlib.util.spec_from_file_location(name, Path({here!r}) / f"{{name}}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
runs, common = load("test_recorded_runs"), load("conftest")
async def main():
    site = runs.Site(Path({directory!r}))
    run = common._run(*(f"b:s:x/{{n}}" for n in range({jobs})), run_id={run_id!r})
    if {die}:
        await runs.carry(site, run, stop_after=3)
        await site.ledger.settle()
        os.kill(os.getpid(), signal.SIGKILL)
    await runs.finished(site, run)
    await site.controller.close()
    print(site.warnings)
asyncio.run(main())
"""


def child(directory: Path, run_id: str, *, jobs: int, die: bool = False) -> "subprocess.Popen[str]":
    here = str(Path(__file__).parent)
    program = CHILD.format(here=here, directory=str(directory), jobs=jobs, run_id=run_id, die=die)
    return subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_a_run_whose_process_was_killed_is_lost(tmp_path: Path) -> None:
    with child(tmp_path, "killed", jobs=5, die=True) as process:
        _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (-signal.SIGKILL, "")

    async def scenario() -> None:
        site = Site(tmp_path)
        (summary,) = await site.controller.history()
        assert (summary.state, summary.finished_at, summary.passed, summary.total_jobs) == ("lost", None, 3, 5)
        detail = await site.controller.run_detail("killed")
        assert [attempt.log for attempt in detail.attempts] == ["out\n"] * 3
        assert len(detail.unattempted) == 2
        (machine,) = await site.ledger.machines()
        assert not machine.run_alive
        await site.controller.close()

    asyncio.run(scenario())


def test_processes_at_once_do_not_disturb_each_other(tmp_path: Path) -> None:
    processes = [child(tmp_path / "state", f"run-{n}", jobs=100) for n in range(3)]
    for process in processes:
        with process:
            assert process.communicate(timeout=120) == ("[]\n", "")

    async def scenario() -> None:
        site = Site(tmp_path / "state")
        history = await site.controller.history()
        assert {(run.run_id, run.state, run.passed) for run in history} == {(f"run-{n}", "done", 100) for n in range(3)}
        await site.controller.close()

    asyncio.run(scenario())


def test_a_run_of_ten_thousand_jobs_stays_small(tmp_path: Path, make_run: Callable[..., RunSpec]) -> None:
    jobs = [Job(f"b:s:{n % 9}/t{n}", "b", "s", f"{n % 9}/", f"{n % 9}/t{n}") for n in range(10_000)]

    async def scenario() -> None:
        site = Site(tmp_path)
        memory = PeakMemory()
        run = make_run(*jobs)
        await carry(site, run)
        await site.ledger.settle()
        assert memory.more_kb < 100_000
        (summary,) = await site.controller.history()
        assert (summary.state, summary.passed) == ("done", 10_000)
        await site.controller.close()
        assert site.warnings == []

    asyncio.run(scenario())
    assert not [thread for thread in threading.enumerate() if thread.name == "outspread-ledger"]
    assert [path.name for path in (tmp_path / "logs").iterdir()] == ["run-1.log"]
