import time
from collections.abc import Callable, Iterator

import pytest

from outspread.controller.values import (
    ArtifactsFetched,
    ArtifactsFetching,
    AttemptFinished,
    AttemptStarted,
    ContentKept,
    ContentPacked,
    ContentProgress,
    ContentSent,
    DebugFinished,
    Level,
    MachineAllocated,
    MachineConnected,
    MachineDiscarding,
    MachineFailed,
    MachineGone,
    MachineKept,
    MachineProgress,
    MachineRequested,
    MachineReused,
    Outcome,
    Rebooted,
    RebootRequested,
    Report,
    RunFinished,
    RunningLate,
    RunStarted,
    SeatClosed,
    ShellClosed,
    ShellOpened,
    StepFinished,
    StepOutput,
    StepStarted,
    Verb,
)
from outspread.project.model import Job

BEGAN_AT = 1_790_000_000.0  # 2026-09-21 14:13:20 UTC
MACHINE = "lab:debian-12 (d1)"


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "UTC")
        time.tzset()
        yield
    time.tzset()


@pytest.fixture
def jobs() -> list[Job]:
    """Five jobs of one suite: one that passes, fails, is left out, loses its machine, and never begins."""
    return [
        Job(f"lab:debian-12:tests/{name}", "lab", "debian-12", "tests/", f"tests/{name}")
        for name in ("good", "bad", "needless", "lost", "never")
    ]


@pytest.fixture
def events(jobs: list[Job]) -> list[Report]:
    """A run in which every kind of event occurs, each a second after the one before."""
    good, bad, needless, lost, _never = (job.name for job in jobs)
    ticks = iter(range(1000))
    latest = 0

    def now() -> float:
        nonlocal latest
        latest = next(ticks)
        return BEGAN_AT + latest

    def step(verb: Verb, job: str, level: Level = Level.TASK) -> dict[str, object]:
        context = {Level.TASK: job, Level.SUITE: "lab:debian-12:tests/"}.get(level, "lab:debian-12")
        return {
            "verb": verb,
            "level": level,
            "context": context,
            "machine": MACHINE,
            "label": "d1",
            "backend": "lab",
            "system": "debian-12",
            "suite": "tests/",
            "job": job,
        }

    def make(kind: Callable[..., Report], *arguments: object, **fields: object) -> Report:
        return kind(now(), *arguments, **fields)

    def meanwhile(kind: Callable[..., Report], **fields: object) -> Report:
        """Make an event that takes no tick: it comes within the second of the one before."""
        return kind(BEGAN_AT + latest + 0.5, **fields)

    def attempt(job: str, outcome: Outcome, duration_s: float, **fields: object) -> Report:
        return make(AttemptFinished, "seat-1", 1, job, 1, outcome, duration_s, machine=MACHINE, **fields)

    def began(job: str) -> Report:
        return make(AttemptStarted, "seat-1", 1, job, 1, "m1", MACHINE)

    return [
        make(ContentPacked, 2048),
        make(RunStarted, "run-1", 77, True, 5, "demo"),
        make(MachineRequested, "m0", "lab", "debian-12", "run-1", "adhoc"),
        make(MachineFailed, "m0", "lab", "debian-12", "quota reached", False),
        make(MachineRequested, "m1", "lab", "debian-12", "run-1", "adhoc"),
        make(MachineProgress, "lab", "debian-12", "Waiting for lab:debian-12 to make SSH available..."),
        make(MachineAllocated, "m1", MACHINE, "10.0.0.1:22", "d1", "{}"),
        make(MachineConnected, "m1", MACHINE, "10.0.0.1:22"),
        make(ContentSent, "m1", MACHINE),
        meanwhile(ContentProgress, machine_id="m1", machine=MACHINE, sent_bytes=120_000_000, total_bytes=200_000_000, took_s=5.0),
        began(good),
        make(StepStarted, **step(Verb.PREPARE, good, Level.PROJECT)),
        make(StepFinished, **step(Verb.PREPARE, good, Level.PROJECT), duration_s=1.0),
        make(StepStarted, **step(Verb.EXECUTE, good), index=1, total=5),
        meanwhile(StepOutput, **step(Verb.EXECUTE, good), piece=1, text="+ echo \x1b[1mfine\x1b[0m\nfine\n"),
        make(RunningLate, **step(Verb.EXECUTE, good), excerpt="Current output:\n+ sleep 400\n+ sleep 500"),
        make(RebootRequested, **step(Verb.EXECUTE, good), count=1),
        make(RunningLate, **step(Verb.EXECUTE, good), excerpt="Output unchanged."),
        meanwhile(Rebooted, **step(Verb.EXECUTE, good), count=1),
        make(StepFinished, **step(Verb.EXECUTE, good), output="+ true\n+ echo fine\nfine\n", duration_s=4.0),
        make(ArtifactsFetching, good, MACHINE),
        make(ArtifactsFetched, good, MACHINE, 1, ("core",)),
        attempt(good, Outcome.PASSED, 9.0),
        began(bad),
        make(StepStarted, **step(Verb.EXECUTE, bad), index=2, total=5),
        make(
            StepFinished,
            **step(Verb.EXECUTE, bad),
            outcome=Outcome.FAILED,
            reason="exit code 1",
            output="+ \x1b[31mgrep\x1b[0m caf\udce9 menu\n+ false\n",
            duration_s=1.0,
        ),
        make(DebugFinished, **step(Verb.EXECUTE, bad), output="disk full\n", duration_s=0.5),
        meanwhile(ShellOpened, **step(Verb.EXECUTE, bad)),
        meanwhile(ShellClosed, **step(Verb.EXECUTE, bad), reason="exit code 3"),
        make(ArtifactsFetching, bad, MACHINE),
        make(ArtifactsFetched, bad, MACHINE, 0, ("log.txt",), ""),
        make(StepStarted, **step(Verb.RESTORE, bad)),
        make(
            StepFinished,
            **step(Verb.RESTORE, bad),
            outcome=Outcome.TIMEOUT,
            reason="kill-timeout reached after 1m",
            output="<kill-timeout reached>\n",
            duration_s=60.0,
        ),
        attempt(bad, Outcome.FAILED, 62.0, reason="exit code 1", exit_code=1, log="+ false\n"),
        began(needless),
        make(StepStarted, **step(Verb.CHECK, needless)),
        make(StepFinished, **step(Verb.CHECK, needless), duration_s=0.1),
        attempt(needless, Outcome.SKIPPED, 0.1, verb=Verb.CHECK, reason="not on Debian"),
        began(lost),
        make(StepStarted, **step(Verb.PREPARE, lost)),
        attempt(lost, Outcome.INFRA, 3.0, verb=Verb.PREPARE, reason="connection lost"),
        make(MachineDiscarding, "m1", MACHINE),
        make(MachineFailed, "m1", "lab", "debian-12", "cannot discard lab:debian-12 (d1): gone", True),
        make(MachineGone, "m1", MACHINE),
        MachineReused(BEGAN_AT + 42, "m2", "lab:debian-12 (10.0.0.2)", "10.0.0.2", "10.0.0.2", "{}", kept=True),
        ContentKept(BEGAN_AT + 42, "m2", "lab:debian-12 (10.0.0.2)"),
        MachineKept(BEGAN_AT + 42, "m2", "lab:debian-12 (10.0.0.2)", "10.0.0.2"),
        make(SeatClosed, "seat-1", 1, "connection lost"),
        make(RunFinished, "run-1", False, 40.0),
    ]
