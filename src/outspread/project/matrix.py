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

MOST_JOBS = 3_000_000


class _Place(Struct, frozen=True):
    """A system of a backend, with what it adds to the selection."""

    backend: Backend
    system: System
    prefix: str  # "backend:system:"
    kind: int  # places of one kind have the same variants to begin with
    priority: int | None
    manual: bool


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
        self._variants_of: dict[tuple[int, tuple[tuple[str, ...], ...]], list[str]] = {}
        self._count = 0

    def jobs(self, passes: Callable[[str, int], bool], *, with_manual: bool) -> Iterator[Job]:
        """Yield, in no useful order, the jobs whose name and sample pass; those that are manual only if wanted.

        Raises ProjectError when lists contradict their rules, and when there are more jobs than anyone can mean.
        """
        for suite in self._project.suites.values():
            for task in suite.tasks.values():
                yield from self._jobs_of(suite, task, passes, with_manual=with_manual)

    def _jobs_of(self, suite: Suite, task: Task, passes: Callable[[str, int], bool], *, with_manual: bool) -> Iterator[Job]:
        own = (_variants_in(suite.environment), suite.variants, _variants_in(task.environment), task.variants)
        variants_by_kind: dict[int, list[str]] = {}
        is_manual = suite.manual or task.manual
        own_priority = task.priority if task.priority is not None else suite.priority
        samples = task.samples
        for place in self._places_for(suite, task):
            variants = variants_by_kind.get(place.kind)
            if variants is None:
                variants = variants_by_kind[place.kind] = self._variants(place.kind, own, suite, task)
            self._add_to_count(len(variants) * samples)
            if not with_manual and (is_manual or place.manual):
                continue
            priority = own_priority if own_priority is not None else place.priority or 0
            backend, system = place.backend.name, place.system.name
            for variant in variants:
                name = f"{place.prefix}{task.name}:{variant}" if variant else place.prefix + task.name
                if samples == 1:
                    if passes(name, 1):
                        yield Job(name, backend, system, suite.name, task.name, variant, 1, 1, priority)
                    continue
                for sample in range(1, samples + 1):
                    numbered = f"{name}#{sample}"
                    if passes(numbered, sample):
                        yield Job(numbered, backend, system, suite.name, task.name, variant, sample, samples, priority)

    def _add_to_count(self, jobs: int) -> None:
        self._count += max(0, jobs)
        if self._count > MOST_JOBS:
            raise ProjectError(f"the project has more than {MOST_JOBS} jobs", hint="look at samples and variants")

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

    def _places_for(self, suite: Suite, task: Task) -> Iterator[_Place]:
        for backend in self._backends(suite, task):
            yield from self._systems(backend, suite, task)

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
            owner = f"backend {go_quote(backend)}"
            names = self._narrow("systems", [(owner, tuple(places)), *_two_levels(suite, task, suite.systems, task.systems)])
            found = self._systems_of[key] = [place for name, place in places.items() if name in names]
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
