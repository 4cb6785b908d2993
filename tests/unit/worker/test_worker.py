"""A worker and a controller in one process, with machines made of values: nothing is lost, whatever the machines do."""

import asyncio
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, TypeVar

import pytest
from msgspec.structs import replace

from outspread.controller.embedded import EmbeddedController
from outspread.controller.ledger import UnrecordedLedger
from outspread.controller.values import (
    ArtifactsFetched,
    AttemptFinished,
    MachineDiscarding,
    MachineFailed,
    MachineGone,
    MachineRequested,
    Outcome,
    Report,
    RunFinished,
    RunOptions,
    RunSpec,
    SeatClosed,
    ShellClosed,
    ShellOccasion,
    ShellOpened,
    StepFinished,
    StepOutput,
    StepStarted,
    Verb,
)
from outspread.errors import ConnectionLostError, InfrastructureError, UserError
from outspread.machines.contract import ScriptEnd
from outspread.project.model import Backend, Job, Project, Scripts, SkipCondition, Suite, System, Task
from outspread.worker import machine_supply
from outspread.worker.worker import Worker

MakeBackend = Callable[[Callable[[str], tuple[ScriptEnd, bytes]]], Any]
Archive = Callable[[str], IO[bytes]]
Kind = TypeVar("Kind")


def make_project(tasks: int, *, workers: int = 1, **of_task: Any) -> tuple[Project, tuple[Job, ...]]:
    suite = Suite("s/", "s", {f"s/t{n}": Task(f"s/t{n}", "s/", "t", execute=f"run-t{n}.", **of_task) for n in range(tasks)})
    backend = Backend("fake", "fake", {"debian-12": System("debian-12", "fake", workers=workers)})
    project = Project("p", "/root", "/root/spread.yaml", "/p", {"fake": backend}, {"s/": suite})
    return project, tuple(Job(f"fake:debian-12:s/t{n}", "fake", "debian-12", "s/", f"s/t{n}") for n in range(tasks))


def run(
    backend: Any,
    archive: Archive,
    project: Project,
    jobs: tuple[Job, ...],
    options: RunOptions | None = None,
    *,
    artifacts: Path | None = None,
    slots: int = 8,
    on_event: Callable[[EmbeddedController, Report], Any] | None = None,
) -> list[Report]:
    async def go() -> list[Report]:
        controller = EmbeddedController(UnrecordedLedger())
        worker = Worker(controller, name="w", slots=slots, backend_of=lambda _: backend, archive_of=archive, artifacts=artifacts)
        serving = asyncio.create_task(worker.serve())
        watch = controller.watch("r")
        await controller.submit(RunSpec("r", "me", project, jobs, options or RunOptions()))
        seen: list[Report] = []
        async with asyncio.timeout(20):
            async for event in watch:
                seen.append(event)
                if on_event is not None:
                    await on_event(controller, event)
        serving.cancel()
        await asyncio.wait([serving])
        return seen

    return asyncio.run(go())


def outcomes(events: list[Report]) -> dict[str, list[Outcome]]:
    found: dict[str, list[Outcome]] = {}
    for event in events:
        if isinstance(event, AttemptFinished):
            found.setdefault(event.job.rpartition("/")[2], []).append(event.outcome)
    return found


def of(kind: type[Kind], events: list[Report]) -> list[Kind]:
    return [event for event in events if isinstance(event, kind)]


def test_every_job_runs_once_and_every_machine_is_given_back(fake_backend: MakeBackend, archive: Archive) -> None:
    backend = fake_backend(lambda _: (ScriptEnd(0), b""))
    project, jobs = make_project(20, workers=3)
    events = run(backend, archive, project, jobs)
    assert outcomes(events) == {f"t{n}": [Outcome.PASSED] for n in range(20)}
    assert [event.passed for event in of(RunFinished, events)] == [True]
    assert len(backend.shells) == 3
    assert sorted(backend.discarded) == sorted(backend.shells)
    assert all(shell.content == [b"content"] for shell in backend.shells.values())
    executes = [event for event in of(StepStarted, events) if event.verb is Verb.EXECUTE]
    assert sorted(event.index for event in executes) == list(range(1, 21))
    assert {event.total for event in executes} == {20}


def test_a_failure_has_its_trace_its_debug_output_and_its_restore(fake_backend: MakeBackend, archive: Archive) -> None:
    def behave(script: str) -> tuple[ScriptEnd, bytes]:
        return (ScriptEnd(1), b"+ false\n") if "run-t0." in script else (ScriptEnd(0), b"seen\n")

    project, jobs = make_project(2, scripts=Scripts(debug="look", restore="tidy"))
    backend = fake_backend(behave)
    events = run(backend, archive, project, jobs)
    assert outcomes(events)["t0"] == [Outcome.FAILED]
    failed = next(event for event in of(AttemptFinished, events) if event.outcome is Outcome.FAILED)
    assert (failed.exit_code, failed.reason) == (1, "exit code 1")
    assert failed.log == "--- execute\n+ false\n--- debug\nseen\n--- restore\nseen\n"
    step = next(event for event in of(StepFinished, events) if event.outcome is Outcome.FAILED)
    assert step.output == "+ false\n"
    (shell,) = backend.shells.values()
    assert sum("tidy" in script for script in shell.scripts) == 2
    assert sum("look" in script for script in shell.scripts) == 1


def test_a_lost_machine_is_replaced_and_its_job_tried_again(fake_backend: MakeBackend, archive: Archive) -> None:
    deaths = ["first", "second"]

    def behave(script: str) -> tuple[ScriptEnd, bytes]:
        if "run-t1." in script and deaths:
            raise ConnectionLostError(f"{deaths.pop(0)} death")
        return ScriptEnd(0), b""

    backend = fake_backend(behave)
    events = run(backend, archive, *make_project(3))
    assert outcomes(events)["t1"] == [Outcome.INFRA, Outcome.INFRA, Outcome.PASSED]
    assert sorted(outcomes(events)) == ["t0", "t1", "t2"]
    assert len(backend.shells) == 3
    assert sorted(backend.discarded) == sorted(backend.shells)
    assert of(RunFinished, events)[0].passed


def test_a_job_that_always_loses_its_machine_is_given_up(fake_backend: MakeBackend, archive: Archive) -> None:
    def behave(script: str) -> tuple[ScriptEnd, bytes]:
        if "run-t0." in script:
            raise ConnectionLostError("poison")
        return ScriptEnd(0), b""

    events = run(fake_backend(behave), archive, *make_project(3))
    assert outcomes(events)["t0"] == [Outcome.INFRA] * 3
    assert outcomes(events)["t1"] == [Outcome.PASSED]
    assert not of(RunFinished, events)[0].passed


def test_an_allocation_that_may_succeed_is_tried_again(
    fake_backend: MakeBackend, archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine_supply, "ALLOCATE_PAUSE_S", 0)
    backend = fake_backend(lambda _: (ScriptEnd(0), b""))
    backend.fails = [InfrastructureError("no machine yet"), InfrastructureError("no machine yet")]
    events = run(backend, archive, *make_project(1))
    assert outcomes(events) == {"t0": [Outcome.PASSED]}
    assert [event.final for event in of(MachineFailed, events)] == [False, False]
    assert len({event.machine_id for event in of(MachineRequested, events)}) == 3


@pytest.mark.parametrize("error", [InfrastructureError("no room", retry=False), UserError("no such system")])
def test_one_that_cannot_succeed_ends_the_run(fake_backend: MakeBackend, archive: Archive, error: Exception) -> None:
    backend = fake_backend(lambda _: (ScriptEnd(0), b""))
    backend.fails = [error]
    events = run(backend, archive, *make_project(2))
    assert not of(RunFinished, events)[0].passed
    assert outcomes(events) == {}
    assert [event.reason for event in of(SeatClosed, events)] == [str(error)]


def test_cancelling_ends_the_job_in_hand_and_gives_machines_back(fake_backend: MakeBackend, archive: Archive) -> None:
    backend = fake_backend(lambda _: (ScriptEnd(0), b""))
    connect = backend.connect

    async def connect_and_hang(machine: Any) -> Any:
        shell = await connect(machine)

        async def hang(script: bytes, *, output: Any, kill_after_s: float) -> ScriptEnd:
            await asyncio.Event().wait()
            raise AssertionError

        shell.run = hang
        return shell

    backend.connect = connect_and_hang

    async def cancel(controller: EmbeddedController, event: Report) -> None:
        if isinstance(event, StepStarted):
            await controller.cancel("r", "enough")

    events = run(backend, archive, *make_project(5), on_event=cancel)
    assert list(outcomes(events).values()) == [[Outcome.CANCELLED]]
    assert not of(RunFinished, events)[0].passed
    assert sorted(backend.discarded) == sorted(backend.shells)


def test_a_condition_that_holds_skips_the_task(fake_backend: MakeBackend, archive: Archive) -> None:
    def behave(script: str) -> tuple[ScriptEnd, bytes]:
        return (ScriptEnd(1), b"") if "never" in script else (ScriptEnd(0), b"")

    conditions = (SkipCondition("never", "not me"), SkipCondition("always", "wrong moon"))
    backend = fake_backend(behave)
    events = run(backend, archive, *make_project(1, skip=conditions))
    (finished,) = of(AttemptFinished, events)
    assert (finished.outcome, finished.reason) == (Outcome.SKIPPED, "wrong moon")
    assert of(RunFinished, events)[0].passed
    (shell,) = backend.shells.values()
    assert len(shell.scripts) == 2


def test_artifacts_are_fetched_from_the_tasks_directory(fake_backend: MakeBackend, archive: Archive, tmp_path: Path) -> None:
    backend = fake_backend(lambda _: (ScriptEnd(0), b""))
    project, jobs = make_project(1, artifacts=("a", "b*"))
    project = replace(project, artifacts=("whole",))
    run(backend, archive, project, jobs, RunOptions(collect_artifacts=True), artifacts=tmp_path)
    (shell,) = backend.shells.values()
    assert shell.fetched == [
        ("/p/s/t0", ("a", "b*"), tmp_path / "fake:debian-12:s/t0"),
        ("/p", ("whole",), tmp_path),
    ]


def test_artifacts_that_cannot_be_fetched_fail_the_run_but_do_not_stop_it(
    fake_backend: MakeBackend, archive: Archive, tmp_path: Path
) -> None:
    backend = fake_backend(lambda _: (ScriptEnd(0), b""))
    connect = backend.connect

    async def connect_to_a_full_disk(machine: Any) -> Any:
        shell = await connect(machine)
        shell.fetch_error = InfrastructureError("no space left")
        return shell

    backend.connect = connect_to_a_full_disk
    project, jobs = make_project(3, artifacts=("a",))
    events = run(backend, archive, project, jobs, RunOptions(collect_artifacts=True), artifacts=tmp_path)
    assert Counter(outcome for found in outcomes(events).values() for outcome in found) == {Outcome.PASSED: 3}
    assert all("no space left" in event.error for event in of(ArtifactsFetched, events))
    assert not of(RunFinished, events)[0].passed


def test_live_output_is_told_before_the_step_ends(fake_backend: MakeBackend, archive: Archive) -> None:
    project, jobs = make_project(1)
    backend = fake_backend(lambda _: (ScriptEnd(0), b"one\ntwo"))
    events = [
        event
        for event in run(backend, archive, project, jobs, RunOptions(live=True))
        if isinstance(event, StepOutput | StepFinished)
    ]
    assert [type(event) for event in events] == [StepOutput, StepOutput, StepFinished]
    pieces = [event for event in events if isinstance(event, StepOutput)]
    assert [(piece.piece, piece.text, piece.job) for piece in pieces] == [
        (1, "one\n", jobs[0].name),
        (2, "two\n", jobs[0].name),
    ]


def test_a_worker_without_a_terminal_says_so_for_each_shell_and_goes_on(fake_backend: MakeBackend, archive: Archive) -> None:
    project, jobs = make_project(1)
    failing = fake_backend(lambda script: (ScriptEnd(1 if "run-t0." in script else 0), b""))
    shells = (ShellOccasion.BEFORE, ShellOccasion.AFTER, ShellOccasion.DEBUG)
    events = run(failing, archive, project, jobs, RunOptions(shells=shells))
    assert [event.occasion for event in events if isinstance(event, ShellOpened)] == ["before", "debug", "after"]
    assert {event.reason for event in events if isinstance(event, ShellClosed)} == {
        "cannot open a shell: this worker has no terminal"
    }
    assert outcomes(events) == {"t0": [Outcome.FAILED]}


def test_a_shell_instead_counts_as_the_script(fake_backend: MakeBackend, archive: Archive) -> None:
    project, jobs = make_project(2)
    backend = fake_backend(lambda _: (ScriptEnd(1), b""))
    events = run(backend, archive, project, jobs, RunOptions(shells=(ShellOccasion.INSTEAD,)))
    assert outcomes(events) == {"t0": [Outcome.PASSED], "t1": [Outcome.PASSED]}
    executes = [event for event in events if isinstance(event, StepStarted | StepFinished) and event.verb is Verb.EXECUTE]
    assert [type(event) for event in executes] == [StepStarted, StepFinished] * 2
    assert [shell.scripts for shell in backend.shells.values()] == [[]]


def test_slots_bound_the_machines_and_one_that_is_free_is_used_at_once(fake_backend: MakeBackend, archive: Archive) -> None:
    backend = fake_backend(lambda _: (ScriptEnd(0), b""))
    held: set[str] = set()
    most = 0
    allocate, discard = backend.allocate, backend.discard

    async def counted_allocate(request: Any, progress: Any) -> Any:
        nonlocal most
        machine = await allocate(request, progress)
        held.add(machine.machine_id)
        most = max(most, len(held))
        return machine

    async def counted_discard(machine: Any) -> None:
        await asyncio.sleep(0)
        held.discard(machine.machine_id)
        await discard(machine)

    backend.allocate, backend.discard = counted_allocate, counted_discard
    one, other = (
        Backend(name, "fake", {"debian-12": System("debian-12", name, workers=2), "debian-13": System("debian-13", name)})
        for name in ("one", "other")
    )
    project, _ = make_project(3)
    project = replace(project, backends={"one": one, "other": other})
    jobs = tuple(
        Job(f"{backend}:{system}:s/t{n}", backend, system, "s/", f"s/t{n}")
        for backend in ("one", "other")
        for system in ("debian-12", "debian-13")
        for n in range(3)
    )
    events = run(backend, archive, project, jobs, slots=1)
    assert Counter(outcome for found in outcomes(events).values() for outcome in found) == {Outcome.PASSED: 12}
    assert most == 1


def test_a_fault_in_one_session_does_not_end_the_others(fake_backend: MakeBackend, archive: Archive) -> None:
    def behave(script: str) -> tuple[ScriptEnd, bytes]:
        if "run-t0." in script:
            raise ZeroDivisionError("a fault of ours")
        return ScriptEnd(0), b""

    backend = fake_backend(behave)
    events = run(backend, archive, *make_project(4, workers=2))
    assert outcomes(events)["t0"] == [Outcome.INFRA] * 3
    assert [outcomes(events)[f"t{n}"] for n in (1, 2, 3)] == [[Outcome.PASSED]] * 3
    (closed, *_) = [event for event in of(SeatClosed, events) if event.reason]
    assert "ZeroDivisionError: a fault of ours" in closed.reason
    assert sorted(backend.discarded) == sorted(backend.shells)


def test_a_machine_that_is_being_given_back_is_given_back_whoever_stops_waiting(
    fake_backend: MakeBackend, archive: Archive
) -> None:
    backend = fake_backend(lambda _: (ScriptEnd(0), b""))
    connect, discard = backend.connect, backend.discard

    async def connect_to_an_occupied_machine(machine: Any) -> Any:
        shell = await connect(machine)

        async def occupied(archive: IO[bytes], directory: str) -> None:
            raise UserError(f"{directory} is not empty")

        shell.send_tree = occupied
        return shell

    async def slow_discard(machine: Any) -> None:
        await asyncio.sleep(0.05)
        await discard(machine)

    backend.connect, backend.discard = connect_to_an_occupied_machine, slow_discard

    async def cancel(controller: EmbeddedController, event: Report) -> None:
        if isinstance(event, MachineDiscarding):
            await controller.cancel("r", "enough")

    events = run(backend, archive, *make_project(1), on_event=cancel)
    assert sorted(backend.discarded) == sorted(backend.shells)
    assert len(of(MachineGone, events)) == len(backend.shells)
