"""What passes through the controller port about command jobs: frozen values, each writable as JSON and MessagePack.

A command job is a command over an input tree, run by any worker that has what it requires. Times that people see are the
controller's; workers report durations only. With ``values`` and ``port``, all of the controller that ``worker`` and ``client``
may import.
"""

from enum import StrEnum
from typing import Final

from msgspec import Raw, Struct, field

from outspread.controller.values import JobState, Outcome

#: How long a worker may keep an attempt without renewing its lease, in seconds, and how often it does.
LEASE_S: Final = 30.0
RENEW_S: Final = 10.0
#: A claim that its worker does not confirm within so many seconds goes back.
CONFIRM_S: Final = 5.0


class Isolation(StrEnum):
    """What a command can see of the worker's machine."""

    NONE = "none"
    SANDBOX = "sandbox"  # a throw-away view of the machine's own root, or of the tree that ``image`` names


class CommandJob(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True, gc=False):
    """One command that must succeed. Its name is unique in its run."""

    name: str
    command: tuple[str, ...]
    inputs: str = ""  # digest of the tree that it finds in its directory, "HASH/SIZE"; "": an empty one
    directory: str = ""  # where in that tree it starts
    environment: dict[str, str] = {}  # over the worker's own
    timeout_s: float = 0.0  # of the command alone; 0: none
    grace_s: float = 5.0  # between TERM and KILL
    retries: int = 0  # more attempts after one that failed
    outputs: tuple[str, ...] = ()  # globs of files to keep, from the top of the tree; ``**`` crosses directories
    writable: tuple[str, ...] = ()  # globs of input files that the command may change; all others are read-only
    requires: dict[str, str] = {}  # dimensions that a worker must have
    priority: int = 0  # higher goes first
    key: str = ""  # under which its durations are remembered; "": its name
    memory_bytes: int = 0  # more than this is killed; 0: what the worker gives
    processes: int = 0  # and threads, at once; 0: what the worker gives
    disk_bytes: int = 0  # that it may write into its tree; 0: what the worker gives
    limits: tuple[str, ...] = ()  # names of which only so many jobs may run at once, as the farm has set
    isolation: Isolation = Isolation.NONE
    image: str = ""  # a root tree on the worker for ``sandbox``


class CommandRun(Struct, frozen=True):
    """One submission. ``run_id`` is made by the client: the same id and content twice is one run."""

    run_id: str
    owner: str
    jobs: tuple[CommandJob, ...]
    name: str = ""
    project: str = ""  # durations are remembered by project and key
    stop_after: int = 0  # cancel the rest when so many jobs have failed; 0: never


# --- between worker and controller --------------------------------------------------------------------------------------


class Claim(Struct, frozen=True):
    """An attempt for a worker to make. ``fence`` names it in all that is said about it from now on."""

    fence: int
    run_id: str
    number: int  # of the job in its run, from 0
    attempt: int  # from 1
    job: Raw  # a CommandJob, in JSON
    owner: str = ""
    expected_s: float = 0.0


class AttemptLogPiece(Struct, frozen=True):
    """A part of what an attempt printed, in order of ``number`` from 0; ``skipped_bytes`` were left out before it."""

    fence: int
    number: int
    data: bytes
    skipped_bytes: int = 0


class AttemptEnd(Struct, frozen=True, omit_defaults=True):
    """How an attempt ended; its worker is done with it. ``pieces`` of its log were sent before."""

    fence: int
    outcome: Outcome
    run_s: float = 0.0  # the command
    fetch_s: float = 0.0  # its inputs
    collect_s: float = 0.0  # its outputs
    exit_code: int | None = None
    signal: int | None = None
    reason: str = ""
    pieces: int = 0
    outputs: str = ""  # digest of the tree of what was collected; "": nothing
    remark: str = ""  # what was not collected, and why


class WorkerHealth(Struct, frozen=True, omit_defaults=True):
    """How a worker's machine is; a ``hold`` is why it takes no work now."""

    disk_free_bytes: int = 0
    memory_available_bytes: int = 0
    hold: str = ""


class CommandNews(Struct, frozen=True, omit_defaults=True):
    """All that a worker says about command jobs in one exchange.

    ``incarnation`` is new for each process: attempts of an earlier one are lost. ``sequence`` grows with each call, so that one
    that was overtaken is known; a repeated call says the same and changes nothing.
    """

    incarnation: str
    sequence: int
    slots: int
    free: int  # slots that nothing waits for
    dimensions: dict[str, str] = {}
    holding: tuple[int, ...] = ()  # fences of all attempts in hand: renews and confirms them
    begun: tuple[int, ...] = ()  # whose commands have started since the last call
    pieces: tuple[AttemptLogPiece, ...] = ()
    ended: tuple[AttemptEnd, ...] = ()
    returned: tuple[int, ...] = ()  # given back: not begun, or stopped with the worker
    health: WorkerHealth = WorkerHealth()
    draining: bool = False
    leaving: bool = False  # the last call of this incarnation


class StopReason(StrEnum):
    """Why an attempt is to be stopped."""

    CANCELLED = "cancelled"  # stop it and report it as cancelled
    LOST = "lost"  # it is not the worker's any more: stop it, say nothing of it


class Stop(Struct, frozen=True):
    """An attempt is to be stopped."""

    fence: int
    reason: StopReason


class CommandOrders(Struct, frozen=True, omit_defaults=True):
    """All that the controller answers about command jobs."""

    claims: tuple[Claim, ...] = ()
    stops: tuple[Stop, ...] = ()
    watched: tuple[int, ...] = ()  # attempts whose output somebody is reading now


# --- for those who look on ------------------------------------------------------------------------------------------------


class JobCounts(Struct, frozen=True):
    """How many jobs of a run are where; the outcomes are those of the jobs that are done. ``flaky`` ones passed, too."""

    total: int = 0
    queued: int = 0
    running: int = 0  # claimed ones, too
    passed: int = 0
    failed: int = 0  # timeouts, too
    cancelled: int = 0
    infra: int = 0
    flaky: int = 0
    retried: int = 0  # attempts beyond the first


class CommandRunStatus(Struct, frozen=True):
    """A run of command jobs. ``state`` is running, done or cancelled."""

    run_id: str
    name: str
    owner: str
    project: str
    state: str
    counts: JobCounts
    submitted_at: float
    finished_at: float | None = None
    cancel_reason: str = ""
    work_left_s: float = 0.0  # expected of all jobs that have not begun, on one slot


class SlotsNeeded(Struct, frozen=True):
    """What it takes to finish a run within a time, alone on the farm.

    ``slots`` None: no number does, for one job takes longer. ``connected_slots`` are those of all workers that are there now;
    with them it takes ``takes_s``, None when there are none.
    """

    jobs: int  # that are not done
    unknown: int  # of which nothing is known, of those
    work_s: float  # expected of all of them, on one slot
    longest_s: float  # expected of one
    slots: int | None
    connected_slots: int
    takes_s: float | None


class CommandAttempt(Struct, frozen=True):
    """One attempt as it is recorded; ``attempt_id`` names it everywhere: RUN.NUMBER.ATTEMPT."""

    attempt_id: str
    job: str
    number: int
    attempt: int
    worker: str
    outcome: Outcome | None = None  # None: it goes on
    started_at: float = 0.0
    finished_at: float | None = None
    run_s: float | None = None
    fetch_s: float | None = None
    collect_s: float | None = None
    exit_code: int | None = None
    signal: int | None = None
    reason: str = ""
    remark: str = ""
    outputs: str = ""
    log_bytes: int = 0
    decides: bool = False


class CommandJobStatus(Struct, frozen=True):
    """A job with its attempts, oldest first. ``waiting`` is why it is still queued."""

    run_id: str
    number: int
    name: str
    state: JobState
    outcome: Outcome | None
    flaky: bool
    reason: str
    priority: int
    attempts: tuple[CommandAttempt, ...] = ()
    waiting: str = ""
    ahead: int | None = None  # jobs that will probably begin before it
    starts_in_s: float | None = None  # expected


class JobPage(Struct, frozen=True):
    """Some jobs of a run, in the order of submission; ``next`` is the cursor of those that follow, None at the end."""

    jobs: tuple[CommandJobStatus, ...]
    next: int | None = None


class RunProgress(Struct, frozen=True):
    """What became of a run since the cursor that was given: the attempts that ended, in the order in which they did.

    ``cursor`` is to be given next. At most 1,000 attempts a call: there is more while ``more`` says so.
    """

    status: CommandRunStatus
    cursor: int
    ended: tuple[CommandAttempt, ...] = ()
    more: bool = False


class LogPart(Struct, frozen=True):
    """A part of an attempt's log from ``offset``; ``ended`` when nothing will follow what is known."""

    offset: int
    data: bytes
    total_bytes: int
    ended: bool


class FlakyJob(Struct, frozen=True):
    """How often jobs of one project and key passed only after an attempt that failed, of all that were decided."""

    project: str
    key: str
    flaky: int
    decided: int
    last_run: str
    last_number: int


class WorkerStatus(Struct, frozen=True):
    """A worker that the controller knows of. Ages are seconds since it last spoke."""

    name: str
    dimensions: dict[str, str]
    slots: int
    running: tuple[str, ...]  # attempts
    connected: bool
    last_heard_s: float
    draining: bool = False
    hold: str = ""
    held_until: float = 0.0
    health: WorkerHealth = field(default_factory=WorkerHealth)
