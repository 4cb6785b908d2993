"""What passes through the controller port: frozen values, and nothing that only one side could understand.

Worker and client import this module and ``port``, nothing else of the controller. Every type can be written as JSON.
"""

from enum import StrEnum

from msgspec import Struct

from outspread.project.model import Job, Project


class Outcome(StrEnum):
    """How an attempt ended.

    ``failed`` and ``timeout`` are verdicts on the test; ``infra`` is none (no machine, lost worker); ``aborted``: never
    begun, because something that it needs failed first; ``skipped``: one of its own conditions said so.
    """

    PASSED = "passed"
    FAILED = "failed"
    TIMEOUT = "timeout"
    ABORTED = "aborted"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"
    INFRA = "infra"


class JobState(StrEnum):
    """Where a job is on its way; the transitions are in ``job_states``."""

    QUEUED = "queued"
    CLAIMED = "claimed"
    RUNNING = "running"
    COLLECTING = "collecting"
    DONE = "done"
    CANCELLED = "cancelled"


class MachineState(StrEnum):
    """The life of a machine's record: written down before it is asked for, kept after it is given back."""

    REQUESTED = "requested"
    READY = "ready"
    KEPT = "kept"
    DISCARDING = "discarding"
    GONE = "gone"


class Order(StrEnum):
    """In which order a run's jobs are handed out, within their priorities."""

    RANDOM = "random"  # a permutation for each session, from the seed
    LONGEST = "longest"  # longest expected first, from history
    GIVEN = "given"  # as submitted


class Verb(StrEnum):
    """What a script does; the words of the log ("Preparing …") are made from it."""

    CHECK = "check"
    PREPARE = "prepare"
    EXECUTE = "execute"
    RESTORE = "restore"


class Level(StrEnum):
    """Whose script it is."""

    PROJECT = "project"
    BACKEND = "backend"
    SUITE = "suite"
    TASK = "task"


class ShellOccasion(StrEnum):
    """When a session opens a shell for whoever started the run."""

    BEFORE = "before"  # execute
    INSTEAD = "instead"  # of execute
    AFTER = "after"  # execute
    DEBUG = "debug"  # after any script that failed
    VISIT = "visit"  # in place of all jobs


class RunOptions(Struct, frozen=True):
    """What the one who submits may choose."""

    seed: int = 0  # 0: chosen by the controller
    order: Order = Order.RANDOM
    repeat: int = 0  # extra executions of each job while they pass
    restore_only: bool = False
    abend: bool = False  # stop a session at its first failure, without restoring
    collect_artifacts: bool = False
    keep_output: bool = False  # report the output of scripts that passed, too
    workers: int = 0  # sessions per system, over what the project says; 0: as the project says
    shells: tuple[ShellOccasion, ...] = ()  # when to open one
    live: bool = False  # report what scripts print while they do
    time_lines: bool = False  # put the time before each line of output
    hold_failed_s: float = 0.0  # hold the machine of a failed job, without restoring, for so long; 0: do not
    visit: tuple[str, str] | None = None  # no jobs: a shell on a machine of this backend and system


class RunSpec(Struct, frozen=True):
    """One submission. ``run_id`` is made by the client: the same id and content twice is one run."""

    run_id: str
    owner: str
    project: Project  # with its $(HOST:...) commands resolved for the jobs
    jobs: tuple[Job, ...]
    options: RunOptions = RunOptions()


class Seat(Struct, frozen=True):
    """One machine's worth of work: a worker carries a session through the run's jobs for one system."""

    seat_id: str
    run_id: str
    backend: str
    system: str
    number: int  # from 0 within its system
    fence: int
    project: Project
    options: RunOptions
    total_jobs: int  # in the run
    may_hold: bool = False  # its machine may be held when a job fails


class JobWanted(Struct, frozen=True):
    """A session is free. ``suite`` and ``task`` are what it did last ("" at first): it stays there if it can."""

    seat_id: str
    fence: int
    suite: str = ""
    task: str = ""


class Assignment(Struct, frozen=True):
    """A job for a seat, or none: ``job`` is None when there is nothing left for it."""

    seat_id: str
    job: Job | None = None
    attempt: int = 0  # from 1
    fence: int = 0


# --- what is reported, and seen by whoever watches a run --------------------------------------------------------------


class Event(Struct, frozen=True, tag=True, tag_field="event"):
    """One thing that happened in a run. ``at`` is seconds since the epoch, by the clock of whoever saw it."""

    at: float


class RunStarted(Event, frozen=True, tag="run-started"):
    run_id: str
    seed: int
    seed_matters: bool  # there are more jobs than sessions, so the seed decides who does what
    total_jobs: int
    project: str
    sessions: int = 1  # how many there may be at a time


class ContentPacked(Event, frozen=True, tag="content-packed"):
    size_bytes: int


class MachineRequested(Event, frozen=True, tag="machine-requested"):
    machine_id: str
    backend: str
    system: str
    run_id: str
    backend_type: str = ""
    record: str = ""  # as for MachineAllocated, as far as it is known


class MachineProgress(Event, frozen=True, tag="machine-progress"):
    backend: str
    system: str
    text: str


class MachineAllocated(Event, frozen=True, tag="machine-allocated"):
    machine_id: str
    machine: str  # as people see it: "backend:system (label)"
    address: str
    label: str
    record: str = ""  # JSON of machines.Machine without its secrets: what another process needs to give it back
    kept: bool = False  # it is to outlive the run


class MachineReused(Event, frozen=True, tag="machine-reused"):
    """A machine of an earlier run is used again."""

    machine_id: str
    machine: str
    address: str
    label: str
    record: str = ""  # as for MachineAllocated
    kept: bool = False


class MachineConnected(Event, frozen=True, tag="machine-connected"):
    machine_id: str
    machine: str
    address: str


class ContentSent(Event, frozen=True, tag="content-sent"):
    """Sending begins."""

    machine_id: str
    machine: str


class ContentProgress(Event, frozen=True, tag="content-progress"):
    """Sending takes long; so much of the content was taken so far, since ``took_s`` seconds."""

    machine_id: str
    machine: str
    sent_bytes: int
    total_bytes: int
    took_s: float


class ContentKept(Event, frozen=True, tag="content-kept"):
    """The content of an earlier run is used."""

    machine_id: str
    machine: str


class MachineFailed(Event, frozen=True, tag="machine-failed"):
    """No machine for a seat, or a machine lost; ``final`` when the seat is given up for it."""

    machine_id: str
    backend: str
    system: str
    reason: str
    final: bool


class MachineKept(Event, frozen=True, tag="machine-kept"):
    """The session is done with a machine, which lives on; with a ``reason`` it is held for people, ``until`` then."""

    machine_id: str
    machine: str
    address: str
    reason: str = ""
    until: float = 0.0


class MachineDiscarding(Event, frozen=True, tag="machine-discarding"):
    machine_id: str
    machine: str
    address: str = ""


class MachineGone(Event, frozen=True, tag="machine-gone"):
    machine_id: str
    machine: str


class StepEvent(Event, frozen=True):
    """Of one script. ``context`` is how the log names it: ``b:s``, ``b:s:suite/`` or the job's name."""

    verb: Verb
    level: Level
    context: str
    machine: str
    label: str
    backend: str
    system: str
    suite: str = ""
    job: str = ""  # the job in hand ("" for the last restores)


class StepStarted(StepEvent, frozen=True, tag="step-started"):
    index: int = 0  # execute only, set by the controller: this is the index-th job begun, of ``total``
    total: int = 0


class StepFinished(StepEvent, frozen=True, tag="step-finished"):
    outcome: Outcome = Outcome.PASSED
    reason: str = ""  # "exit code 1", "killed by signal 9", "kill-timeout reached after 1m", or the text given to ERROR
    error_text: bool = False  # ``reason`` is the author's own, by ERROR: no trace is wanted
    output: str = ""  # of a failure, or of all with keep_output; invalid UTF-8 as surrogates
    duration_s: float = 0.0


class DebugFinished(StepEvent, frozen=True, tag="debug-finished"):
    outcome: Outcome = Outcome.PASSED
    output: str = ""
    duration_s: float = 0.0


class RebootRequested(StepEvent, frozen=True, tag="reboot-requested"):
    count: int = 0


class Rebooted(StepEvent, frozen=True, tag="rebooted"):
    """The machine is back; the script runs again."""

    count: int = 0


class StepOutput(StepEvent, frozen=True, tag="step-output"):
    """What a script, or its debug script, has printed since the last piece: whole lines. Only under ``live``."""

    piece: int = 0  # from 1 within the script: who misses one knows it
    text: str = ""  # invalid UTF-8 as surrogates


class ShellOpened(StepEvent, frozen=True, tag="shell-opened"):
    """A session has the terminal of whoever started the run; nothing else may be shown there before ShellClosed."""

    occasion: ShellOccasion = ShellOccasion.DEBUG


class ShellClosed(StepEvent, frozen=True, tag="shell-closed"):
    """The terminal is free; ``reason`` when there was no shell, or it ended with another exit code than 0."""

    occasion: ShellOccasion = ShellOccasion.DEBUG
    reason: str = ""


class RunningLate(StepEvent, frozen=True, tag="running-late"):
    excerpt: str = ""  # the log's own words: "Output unchanged." ...


class ArtifactsFetching(Event, frozen=True, tag="artifacts-fetching"):
    job: str
    machine: str


class ArtifactsFetched(Event, frozen=True, tag="artifacts-fetched"):
    job: str
    machine: str
    files: int
    missing: tuple[str, ...] = ()
    error: str = ""


class AttemptStarted(Event, frozen=True, tag="attempt-started"):
    seat_id: str
    fence: int
    job: str
    attempt: int
    machine_id: str
    machine: str


class AttemptFinished(Event, frozen=True, tag="attempt-finished"):
    """The attempt's one result. ``verb``/``level`` name the script that decided a failure; ``log`` is all its output."""

    seat_id: str
    fence: int
    job: str
    attempt: int
    outcome: Outcome
    duration_s: float
    machine: str = ""
    verb: Verb = Verb.EXECUTE
    level: Level = Level.TASK
    exit_code: int | None = None
    signal: int | None = None
    reason: str = ""
    log: str = ""


class SeatClosed(Event, frozen=True, tag="seat-closed"):
    """A session is over; ``reason`` when it was given up before its work was done, ``held`` or ``lost`` when its machine is."""

    seat_id: str
    fence: int
    reason: str = ""
    held: bool = False
    lost: bool = False


class RunFinished(Event, frozen=True, tag="run-finished"):
    run_id: str
    passed: bool
    duration_s: float


Report = (
    RunStarted
    | ContentPacked
    | MachineRequested
    | MachineProgress
    | MachineAllocated
    | MachineReused
    | MachineConnected
    | ContentSent
    | ContentProgress
    | ContentKept
    | MachineFailed
    | MachineKept
    | MachineDiscarding
    | MachineGone
    | StepStarted
    | StepFinished
    | DebugFinished
    | RebootRequested
    | Rebooted
    | StepOutput
    | ShellOpened
    | ShellClosed
    | RunningLate
    | ArtifactsFetching
    | ArtifactsFetched
    | AttemptStarted
    | AttemptFinished
    | SeatClosed
    | RunFinished
)


# --- history ------------------------------------------------------------------------------------------------------------


class RunSummary(Struct, frozen=True):
    """A run as ``outspread history`` lists it. Times are seconds since the epoch."""

    run_id: str
    project: str
    root: str
    owner: str
    state: str  # "running", "done", "cancelled", or "lost" when its process died
    submitted_at: float
    finished_at: float | None
    seed: int
    total_jobs: int
    passed: int
    failed: int
    aborted: int
    skipped: int


class AttemptRecord(Struct, frozen=True):
    """One attempt, as kept."""

    job: str
    attempt: int
    outcome: Outcome | None  # None: never finished
    started_at: float
    duration_s: float | None
    machine: str
    verb: str
    level: str
    exit_code: int | None
    signal: int | None
    reason: str
    log: str  # its end; all of it by ``attempt_log``


class MachineEntry(Struct, frozen=True):
    """A machine that was asked for and is not known to be gone. ``record`` is its JSON, without secrets; may be empty."""

    machine_id: str
    run_id: str
    root: str  # of the run's project; "" when the run is not known any more
    backend: str
    backend_type: str
    system: str
    state: MachineState
    name: str
    address: str
    record: str
    requested_at: float
    run_alive: bool  # the process that carries its run is still there
    owner: str = ""  # who submitted that run
    held_until: float = 0.0  # 0: it is not held
    hold_reason: str = ""


class RunDetail(Struct, frozen=True):
    """A run with its attempts, in the order in which they began, the jobs that never had one, and the machines that are left."""

    summary: RunSummary
    attempts: tuple[AttemptRecord, ...]
    unattempted: tuple[str, ...]
    machines: tuple[MachineEntry, ...] = ()
