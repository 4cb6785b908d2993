"""What changes in the state: frozen values that the scheduling part hands to the ledger, oldest first.

Each is one fact about one object. Times are seconds since the epoch; a ledger stores them as whole microseconds.
"""

from msgspec import Struct

from outspread.controller.values import JobState, Outcome
from outspread.project.model import Job


class RunSubmitted(Struct, frozen=True):
    run_id: str
    digest: str
    owner: str
    project: str
    root: str
    options: str  # JSON
    seed: int
    seed_matters: bool
    jobs: tuple[Job, ...]
    at: float


class RunCancelled(Struct, frozen=True):
    run_id: str
    reason: str
    at: float


class RunEnded(Struct, frozen=True):
    run_id: str
    passed: bool
    cancelled: bool
    at: float


class JobMoved(Struct, frozen=True):
    """A job went from one state to the next; ``outcome`` with the final one. ``fence`` is that of the seat it went to."""

    run_id: str
    number: int
    before: JobState
    after: JobState
    at: float
    fence: int = 0
    attempt: int = 0
    infra_failures: int = 0
    outcome: Outcome | None = None
    reason: str = ""


class AttemptBegan(Struct, frozen=True):
    run_id: str
    number: int
    attempt: int
    fence: int
    seat_id: str
    worker: str
    machine_id: str
    machine: str
    at: float


class AttemptEnded(Struct, frozen=True):
    """An attempt has its one result; ``decides`` when it is its job's too. ``log`` may hold surrogates for invalid UTF-8."""

    run_id: str
    number: int
    attempt: int
    outcome: Outcome
    decides: bool
    at: float
    duration_s: float
    machine: str = ""
    verb: str = ""
    level: str = ""
    exit_code: int | None = None
    signal: int | None = None
    reason: str = ""
    log: str = ""


class DurationSeen(Struct, frozen=True):
    """A passed attempt took so long."""

    project: str
    key: str
    duration_s: float
    at: float


class MachineAsked(Struct, frozen=True):
    machine_id: str
    run_id: str
    backend: str
    backend_type: str
    system: str
    at: float
    record: str = ""


class MachineFound(Struct, frozen=True):
    machine_id: str
    run_id: str
    name: str
    address: str
    record: str
    at: float
    kept: bool = False


class MachineHeld(Struct, frozen=True):
    machine_id: str
    run_id: str
    reason: str
    until: float
    at: float


class MachineLost(Struct, frozen=True):
    """A machine could not be had, or was lost; one that was never there is gone."""

    machine_id: str
    run_id: str
    reason: str
    at: float


class MachineReturning(Struct, frozen=True):
    machine_id: str
    run_id: str
    at: float


class MachineReturned(Struct, frozen=True):
    machine_id: str
    run_id: str
    at: float


Change = (
    RunSubmitted
    | RunCancelled
    | RunEnded
    | JobMoved
    | AttemptBegan
    | AttemptEnded
    | DurationSeen
    | MachineAsked
    | MachineFound
    | MachineHeld
    | MachineLost
    | MachineReturning
    | MachineReturned
)
