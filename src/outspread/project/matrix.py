"""From a project to its jobs: every task on every backend, system and variant that its lists leave it, and each sample.

What the lists leave is worked out once for all tasks that share them; names are made before jobs, so that a narrow filter
costs little even in a project of a hundred thousand jobs.
"""

from collections.abc import Callable, Iterator, Sequence

from msgspec import Struct

from outspread.project.cascade import Level, cascade, narrowing_cascade
from outspread.project.errors import ProjectError
from outspread.project.go_quote import go_quote
from outspread.project.model import Backend, Environment, Flavour, Job, Project, Suite, System, Task

MOST_JOBS = 1_000_000


class _Place(Struct, frozen=True):
    """A system of a backend, with what it adds to the selection."""

    backend: Backend
    system: System
    prefix: str  # "backend:system:"
    kind: int  # places of one kind have the same variants to begin with
    priority: int | None
    manual: bool


class _Row(Struct, frozen=True):
    """All jobs of one task."""

    suite: Suite
    task: Task
    places: list[_Place]
    variants: dict[int, list[str]]  # by kind of place
    size: int


class Matrix:
    """The jobs of one project."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._narrow = narrowing_cascade if project.flavour is Flavour.SPREAD_PLUS else cascade
        self._kinds: list[list[Level]] = []
        self._kind_numbers: dict[tuple[tuple[str, ...], ...], int] = {}
        self._places = {name: self._places_of(backend) for name, backend in project.backends.items()}
        self._backends_of: dict[tuple[Sequence[str], Sequence[str]], list[str]] = {}
        self._systems_of: dict[tuple[str, Sequence[str], Sequence[str]], list[_Place]] = {}
        self._systems_anywhere: dict[tuple[Sequence[str], Sequence[str]], set[str]] = {}
        all_systems = {name for places in self._places.values() for name in places if not name.startswith(("+", "-"))}
        self._all_systems = tuple(sorted(all_systems))
        self._places_of_lists: dict[tuple[Sequence[str], ...], list[_Place]] = {}
        self._variants_of: dict[tuple[int, tuple[tuple[str, ...], ...]], list[str]] = {}

    def jobs(self, passes: Callable[[str, int], bool], *, with_manual: bool) -> Iterator[Job]:
        """Yield, in no useful order, the jobs whose name and sample pass; those that are manual only if wanted.

        Raises ProjectError when lists contradict their rules, and when there are more jobs than anyone can mean.
        """
        rows = [
            self._row_of(suite, task, with_manual=with_manual)
            for suite in self._project.suites.values()
            for task in suite.tasks.values()
        ]
        if sum(row.size for row in rows) > MOST_JOBS:
            largest = max(rows, key=lambda row: row.size)
            hint = f"{largest.task.name} alone makes {largest.size}: look at its samples and variants"
            raise ProjectError(f"the project has more than {MOST_JOBS} jobs", hint=hint)
        for row in rows:
            yield from _jobs_of(row, passes)

    def _row_of(self, suite: Suite, task: Task, *, with_manual: bool) -> "_Row":
        own = (_variants_in(suite.environment), suite.variants, _variants_in(task.environment), task.variants)
        places = self._places_for(suite, task)
        variants = {kind: self._variants(kind, own, suite, task) for kind in {place.kind for place in places}}
        if not with_manual:
            places = [] if suite.manual or task.manual else [place for place in places if not place.manual]
        size = max(0, task.samples) * sum([len(variants[place.kind]) for place in places])
        return _Row(suite, task, places, variants, size)

    def _places_of(self, backend: Backend) -> dict[str, _Place]:
        return {
            system.name: _Place(
                backend,
                system,
                f"{backend.name}:{system.name}:",
                self._kind_of(backend, system),
                system.priority if system.priority is not None else backend.priority,
                backend.manual or system.manual,
            )
            for system in backend.systems.values()
        }

    def _kind_of(self, backend: Backend, system: System) -> int:
        lists = (_variants_in(backend.environment), backend.variants, _variants_in(system.environment), system.variants)
        number = self._kind_numbers.setdefault(lists, len(self._kinds))
        if number == len(self._kinds):
            backend_name, system_name = f"backend {go_quote(backend.name)}", f"{backend.name}:{system.name}"
            owners = (backend_name, backend_name, system_name, system_name)
            project = ("project", _variants_in(self._project.environment) or ("",))
            self._kinds.append([project, *_variant_levels(owners, lists)])
        return number

    def _places_for(self, suite: Suite, task: Task) -> list[_Place]:
        key = (suite.backends, task.backends, suite.systems, task.systems)
        found = self._places_of_lists.get(key)
        if found is None:
            backends = self._backends(suite, task)
            found = self._places_of_lists[key] = [place for name in backends for place in self._systems(name, suite, task)]
        return found

    def _backends(self, suite: Suite, task: Task) -> list[str]:
        key = (suite.backends, task.backends)
        found = self._backends_of.get(key)
        if found is None:
            levels: list[Level] = [("project", tuple(self._places)), *_two_levels(suite, task, suite.backends, task.backends)]
            # Spread crashes on names that no backend has, and on plain patterns, which stand for themselves, too.
            names = self._narrow("backends", levels)
            found = self._backends_of[key] = [name for name in self._places if name in names]
        return found

    def _systems(self, backend: str, suite: Suite, task: Task) -> list[_Place]:
        key = (backend, suite.systems, task.systems)
        found = self._systems_of.get(key)
        if found is None:
            places = self._places[backend]
            names = self._system_names(backend, suite, task)
            found = self._systems_of[key] = [place for name, place in places.items() if name in names]
        return found

    def _system_names(self, backend: str, suite: Suite, task: Task) -> set[str]:
        below = _two_levels(suite, task, suite.systems, task.systems)
        own_names = tuple(self._places[backend])
        if self._narrow is narrowing_cascade or any(name.startswith(("+", "-")) for name in own_names):
            return self._narrow("systems", [(f"backend {go_quote(backend)}", own_names), *below])
        # Under Spread's rule no name's fate depends on another one's: what is worked out for all backends holds for each.
        key = (suite.systems, task.systems)
        found = self._systems_anywhere.get(key)
        if found is None:
            found = self._systems_anywhere[key] = cascade("systems", [("project", self._all_systems), *below])
        return found

    def _variants(self, kind: int, own: tuple[tuple[str, ...], ...], suite: Suite, task: Task) -> list[str]:
        key = (kind, own)
        found = self._variants_of.get(key)
        if found is None:
            suite_name = f"suite {suite.name}"
            levels = [*self._kinds[kind], *_variant_levels((suite_name, suite_name, task.name, task.name), own)]
            names = cascade("variants", levels)
            if len(names) > 1:
                names.discard("")
            found = self._variants_of[key] = sorted(names)
        return found


def _jobs_of(row: _Row, passes: Callable[[str, int], bool]) -> Iterator[Job]:
    task, suite = row.task, row.suite
    own_priority = task.priority if task.priority is not None else suite.priority
    samples = task.samples
    for place in row.places:
        priority = own_priority if own_priority is not None else place.priority or 0
        backend, system = place.backend.name, place.system.name
        for variant in row.variants[place.kind]:
            name = f"{place.prefix}{task.name}:{variant}" if variant else place.prefix + task.name
            if samples == 1:
                if passes(name, 1):
                    yield Job(name, backend, system, suite.name, task.name, variant, 1, 1, priority)
                continue
            for sample in range(1, samples + 1):
                numbered = f"{name}#{sample}"
                if passes(numbered, sample):
                    yield Job(numbered, backend, system, suite.name, task.name, variant, sample, samples, priority)


def _two_levels(suite: Suite, task: Task, of_suite: Sequence[str], of_task: Sequence[str]) -> list[Level]:
    return [(f"suite {suite.name}", of_suite), (task.name, of_task)]


def _variant_levels(owners: Sequence[str], lists: Sequence[Sequence[str]]) -> list[Level]:
    """Return levels of which every other one, from the first, comes from an environment and only adds."""
    return [
        (owner, names if number % 2 else tuple(f"+{name}" for name in names))
        for number, (owner, names) in enumerate(zip(owners, lists, strict=True))
    ]


def _variants_in(environment: Environment) -> tuple[str, ...]:
    """Return the variants that an environment's keys mention, by name."""
    names = {name for key, _ in environment if "/" in key for name in key.rpartition("/")[2].split(",")}
    return tuple(sorted(names))
