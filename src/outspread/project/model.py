"""What a project says, as frozen values: the one form in which the other rooms see a ``spread.yaml``.

Built by ``loader``; holds no rule of its own beyond look-ups. Everything here can be written as JSON and read back
(msgspec), so that a run can be sent to a controller elsewhere. Texts keep the spelling of the file; scripts are stripped.
"""

from enum import StrEnum

from msgspec import Struct

#: Ordered ``(key, value)`` pairs as written: a key may carry a variant suffix (``NAME/v1,v2``).
Environment = tuple[tuple[str, str], ...]

#: What a timeout of ``-1`` (never) is stored as: a year, as in Spread.
NEVER_S = 365 * 24 * 3600.0

#: ``storage: preserve-size``.
PRESERVE_SIZE = -1


class Flavour(StrEnum):
    """Whose rules of selection and validity apply."""

    SPREAD = "spread"
    SPREAD_PLUS = "spread-plus"


class Scripts(Struct, frozen=True):
    """The six scripts that a project, backend or suite may have; a task has ``prepare``, ``restore``, ``debug`` of them."""

    prepare: str = ""
    restore: str = ""
    debug: str = ""
    prepare_each: str = ""
    restore_each: str = ""
    debug_each: str = ""


class Timeouts(Struct, frozen=True):
    """Limits of one level in seconds; None means "ask the level above"."""

    warn_s: float | None = None
    kill_s: float | None = None
    halt_s: float | None = None
    wait_s: float | None = None


class SkipCondition(Struct, frozen=True):
    """Skip when ``script`` (the field ``if``) succeeds; spread-plus."""

    script: str
    reason: str


class System(Struct, frozen=True):
    """A kind of machine that a backend offers."""

    name: str
    backend: str
    image: str = ""
    kernel: str = ""
    username: str = ""
    password: str = ""
    workers: int = 1
    storage_bytes: int = 0
    plan: str = ""
    networks: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    secure_boot: bool = False
    bios: str = ""
    cpu_family: str = ""
    environment: Environment = ()
    variants: tuple[str, ...] = ()
    priority: int | None = None
    manual: bool = False
    # spread-plus
    timeouts: Timeouts = Timeouts()
    ssh_rsa_key: str = ""
    ssh_key_pass: str = ""
    queue: str = ""
    reserve_key: str = ""
    provision_data: tuple[tuple[str, str], ...] = ()
    attach_service_account: bool = False
    # ours
    options: tuple[tuple[str, str], ...] = ()  # for types that other packages offer
    architecture: str = ""
    cores: int = 0
    device_backends: tuple[tuple[str, str], ...] = ()
    saved_state: bool = False
    profiles: tuple[str, ...] = ()
    config: tuple[tuple[str, str], ...] = ()
    vm: bool = False


class Backend(Struct, frozen=True):
    """Where machines come from, as the project names it."""

    name: str
    type: str
    systems: dict[str, System]
    key: str = ""
    allocate: str = ""
    discard: str = ""
    memory_bytes: int = 0
    plan: str = ""
    location: str = ""
    storage_bytes: int = 0
    account: str = ""
    endpoint: str = ""
    networks: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    environment: Environment = ()
    variants: tuple[str, ...] = ()
    scripts: Scripts = Scripts()
    timeouts: Timeouts = Timeouts()
    priority: int | None = None
    manual: bool = False
    # spread-plus
    proxy: str = ""
    cidr_port_rel: tuple[str, ...] = ()
    volume_auto_delete: bool = False
    # ours
    options: tuple[tuple[str, str], ...] = ()  # for types that other packages offer
    profiles: tuple[str, ...] = ()
    config: tuple[tuple[str, str], ...] = ()
    vm: bool = False


class Task(Struct, frozen=True):
    """One thing to run; with backend, system, variant and sample it becomes jobs."""

    name: str  # with its suite: "tests/main/one"
    suite: str
    summary: str
    details: str = ""
    backends: tuple[str, ...] = ()
    systems: tuple[str, ...] = ()
    variants: tuple[str, ...] = ()
    environment: Environment = ()
    samples: int = 1
    scripts: Scripts = Scripts()
    execute: str = ""
    artifacts: tuple[str, ...] = ()
    timeouts: Timeouts = Timeouts()
    priority: int | None = None
    manual: bool = False
    skip: tuple[SkipCondition, ...] = ()


class Suite(Struct, frozen=True):
    """A directory of tasks."""

    name: str  # with the trailing slash: "tests/main/"
    summary: str
    tasks: dict[str, Task]  # by full name, sorted
    backends: tuple[str, ...] = ()
    systems: tuple[str, ...] = ()
    variants: tuple[str, ...] = ()
    environment: Environment = ()
    scripts: Scripts = Scripts()
    timeouts: Timeouts = Timeouts()
    priority: int | None = None
    manual: bool = False
    artifacts: tuple[str, ...] = ()
    skip: tuple[SkipCondition, ...] = ()


class Diagnostic(Struct, frozen=True):
    """Something odd that does not make the project invalid: printed as a warning, an error under ``--strict``."""

    text: str
    file: str = ""
    line: int = 0
    hint: str = ""
    stops_run: bool = False  # fine for ``list``, but nobody can run it (a malformed field of spread-plus)
    spread_error: str = ""  # the words in which Spread refuses the project for it, where we do not


class Project(Struct, frozen=True):
    """A tree with a ``spread.yaml``."""

    name: str
    root: str  # directory on this host that suites, packing and local scripts start from
    file: str  # the spread.yaml that was read
    path: str  # where the project lives on a machine: absolute, cleaned
    backends: dict[str, Backend]
    suites: dict[str, Suite]
    flavour: Flavour = Flavour.SPREAD
    environment: Environment = ()
    scripts: Scripts = Scripts()
    timeouts: Timeouts = Timeouts()
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    rename: tuple[str, ...] = ()
    repack: str = ""
    # spread-plus
    artifacts: tuple[str, ...] = ()
    tasks_limit: int = 0
    diagnostics: tuple[Diagnostic, ...] = ()

    def system(self, job: "Job") -> System:
        """Return the system that ``job`` runs on."""
        return self.backends[job.backend].systems[job.system]

    def task(self, job: "Job") -> Task:
        """Return the task that ``job`` runs."""
        return self.suites[job.suite].tasks[job.task]


class Job(Struct, frozen=True, gc=False):
    """One thing that must pass, once: a task on a system of a backend, with one variant and one sample.

    All but ``name`` and ``priority`` are keys into the project: the job itself stays small, as there may be 100,000.
    """

    name: str  # backend:system:suite/task[:variant][#sample]
    backend: str
    system: str
    suite: str
    task: str
    variant: str = ""
    sample: int = 1  # from 1
    samples: int = 1  # how many samples its task has
    priority: int = 0
