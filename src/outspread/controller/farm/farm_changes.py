"""What changes in the state of a farm: frozen values that the scheduler hands to the ledger, oldest first.

Times are seconds since the epoch, by the controller's clock.
"""

from msgspec import Struct

from outspread.controller.command_values import AttemptEnd, JobCounts
from outspread.controller.values import JobState, Outcome


class AcceptedJob(Struct, frozen=True, gc=False):
    """A job as the tables keep it; ``job`` is its JSON."""

    name: str
    key: str
    priority: int
    job: bytes


class RunComing(Struct, frozen=True):
    """A run is being written. It is none before RunAccepted: its jobs come in parts, so that nobody else waits for long."""

    run_id: str
    digest: str
    owner: str
    name: str
    project: str
    total: int
    at: float
    stop_after: int = 0


class JobsComing(Struct, frozen=True):
    """The jobs of a run that is being written, from number ``first`` on."""

    run_id: str
    first: int
    jobs: tuple[AcceptedJob, ...]


class RunAccepted(Struct, frozen=True):
    """All jobs of a run are there."""

    run_id: str
    owner: str
    name: str
    project: str
    total: int
    at: float


class RunDropped(Struct, frozen=True):
    """A run that is over, or was not accepted, is none any more: its id is free, and what it has left may be forgotten."""

    run_id: str


class JobsForgotten(Struct, frozen=True):
    """The jobs of a dropped run with numbers from ``first`` to before ``end``, their attempts and outputs are not kept."""

    run_key: int
    first: int
    end: int


class RunStopped(Struct, frozen=True):
    """A run was cancelled; its jobs that are queued follow as JobsStopped."""

    run_id: str
    reason: str
    at: float


class JobsStopped(Struct, frozen=True):
    """The queued jobs with numbers from ``first`` to before ``end`` are cancelled with their run, but for ``in_hand``."""

    run_id: str
    first: int
    end: int
    in_hand: tuple[int, ...]
    at: float


class RunOver(Struct, frozen=True):
    """Every job of a run is final."""

    run_id: str
    passed: bool
    cancelled: bool
    counts: JobCounts
    at: float


class JobClaimed(Struct, frozen=True):
    """A job is in a worker's hands and has not begun; recorded only when a controller stops, for the next one to know."""

    run_id: str
    number: int
    attempt: int
    fence: int


class JobStarted(Struct, frozen=True):
    """The command of an attempt has begun."""

    run_id: str
    number: int
    attempt: int
    fence: int
    worker: str
    at: float


class LogWritten(Struct, frozen=True):
    """A piece of an attempt's log, while it goes on."""

    run_id: str
    number: int
    attempt: int
    piece: int
    data: bytes


class AttemptOver(Struct, frozen=True):
    """An attempt ended, and what its job became by that."""

    run_id: str
    number: int
    attempt: int
    fence: int
    worker: str
    begun_at: float
    at: float
    end: AttemptEnd
    log: bytes  # all of it, when no piece of it was written before
    decides: bool
    place: int  # among the attempts of its run that ended, from 1
    state: JobState
    outcome: Outcome | None
    flaky: bool
    infra_failures: int
    reason: str
    key: str = ""  # of its duration, if that is to be remembered
    project: str = ""


class JobReleased(Struct, frozen=True):
    """A job whose attempt is not known to have begun is queued again, or ends with its cancelled run."""

    run_id: str
    number: int
    state: JobState
    infra_failures: int
    at: float


class WorkerHeld(Struct, frozen=True):
    """A worker takes no more work until then; ``until`` in the past ends a hold."""

    worker: str
    reason: str
    until: float
    at: float


class RunForgotten(Struct, frozen=True):
    """A dropped run without jobs is not kept any longer, nor are its logs."""

    run_key: int
    run_id: str
    at: float


FarmChange = (
    RunComing
    | JobsComing
    | RunAccepted
    | RunDropped
    | JobsForgotten
    | RunForgotten
    | RunStopped
    | JobsStopped
    | RunOver
    | JobClaimed
    | JobStarted
    | LogWritten
    | AttemptOver
    | JobReleased
    | WorkerHeld
)
