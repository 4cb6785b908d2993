"""The variables that scripts see, in the order in which they are exported.

They come from the project, backend, system, suite and task, after those that tell a script which job it is part of. A key
for variants (``NAME/a,b``) counts, as ``NAME``, in the jobs of those variants only, and then before a plain one.

A variable that is set again has its last value. Spread exports it in its last place only, so that values in between which
refer to it fail; a project that relies on the order works there, and must here. So the place is the last one, unless a
value before it refers to the variable:

* then it is exported in its first place, with its last value, which those values then see;
* but when that last value itself needs what is only set later (or its own former value), the former values stay in their
  places and the last one follows in its own, as a shell script would have it.
"""

import re
from collections.abc import Iterable

from outspread.project.host_commands import HostCommands
from outspread.project.host_references import expand_host
from outspread.project.model import Environment, Job, Project

Variables = tuple[tuple[str, str], ...]

_REFERENCE = re.compile(r"\$\{?[#!]?([a-zA-Z_][a-zA-Z0-9_]*)")


def job_environment(project: Project, job: Job, host: HostCommands) -> Variables:
    """Return the variables of ``job``, all but SPREAD_REBOOT, with the output of ``$(HOST:...)`` commands in them.

    A name stands there twice only when its second value refers to what the first one is needed for. Raises ProjectError
    when a command fails.
    """
    backend = project.backends[job.backend]
    system = backend.systems[job.system]
    suite = project.suites[job.suite]
    levels = (
        ("project", project.environment),
        (f'backend "{backend.name}"', backend.environment),
        (f"{backend.name}:{system.name}", system.environment),
        (f"suite {suite.name}", suite.environment),
        (job.task, suite.tasks[job.task].environment),
    )
    own = [
        ("SPREAD_JOB", job.name),
        ("SPREAD_PROJECT", project.name),
        ("SPREAD_PATH", project.path),
        ("SPREAD_BACKEND", backend.name),
        ("SPREAD_SYSTEM", system.name),
        ("SPREAD_SUITE", suite.name),
        ("SPREAD_TASK", job.task),
        ("SPREAD_VARIANT", job.variant),
        ("SPREAD_SAMPLE", str(job.sample)),
    ]
    written = [
        (key, expand_host(value, host, owner=owner))
        for owner, environment in levels
        for key, value in environment
        if concerns(key, job.variant)
    ]
    return _in_order(own, written)


def system_environment(project: Project, backend_name: str, system_name: str, host: HostCommands) -> Variables:
    """Return the variables of a system without any job, with the output of ``$(HOST:...)`` commands in them.

    Keys for variants are left out. Raises ProjectError when a command fails.
    """
    backend = project.backends[backend_name]
    system = backend.systems[system_name]
    own = [
        ("SPREAD_PROJECT", project.name),
        ("SPREAD_PATH", project.path),
        ("SPREAD_BACKEND", backend.name),
        ("SPREAD_SYSTEM", system.name),
    ]
    levels = (project.environment, backend.environment, system.environment)
    written = [
        (key, expand_host(value, host, owner=f"{backend.name}:{system.name}"))
        for environment in levels
        for key, value in environment
        if "/" not in key
    ]
    return _in_order(own, written)


def project_environment(project: Project, host: HostCommands, *, backends_with_jobs: Iterable[str] = ()) -> Variables:
    """Return the variables of the project as its own scripts on this host see them, SPREAD_BACKENDS last.

    Keys for variants are left out: no job is at hand. Raises ProjectError when a ``$(HOST:...)`` command fails.
    """
    written = [(key, expand_host(value, host, owner="project")) for key, value in project.environment if "/" not in key]
    backends = " ".join(sorted(set(backends_with_jobs)))
    return (*(pair for pair in written if pair[0] != "SPREAD_BACKENDS"), ("SPREAD_BACKENDS", backends))


def concerns(key: str, variant: str) -> bool:
    """Tell whether a key of an environment counts in jobs of ``variant``."""
    _, slash, variants = key.rpartition("/")
    return not slash or variant in variants.split(",")


def _in_order(own: list[tuple[str, str]], written: Environment | list[tuple[str, str]]) -> Variables:
    """Return each variable in its place, as the module says."""
    assignments = [*own, *((key.partition("/")[0], value) for key, value in written)]
    is_variant = [False] * len(own) + ["/" in key for key, _ in written]
    places: dict[str, list[int]] = {}
    for place, (name, _) in enumerate(assignments):
        places.setdefault(name, []).append(place)
    if len(places) == len(assignments):
        return tuple(assignments)
    last_places = {name: _last_place(all_places, is_variant) for name, all_places in places.items()}
    referring: dict[str, list[int]] = {}  # name -> places of the values that refer to it
    for place in last_places.values():
        for name in _references(assignments[place][1]):
            referring.setdefault(name, []).append(place)
    kept: dict[int, str] = {}
    for name, all_places in places.items():
        own_places = [place for place in all_places if place <= last_places[name]]
        kept.update(_places_kept(own_places, referring.get(name, []), assignments, places))
    return tuple((assignments[place][0], value) for place, value in sorted(kept.items()))


def _last_place(all_places: list[int], is_variant: list[bool]) -> int:
    """Return where the value stands that counts in the end: a key for the variant beats a plain one, wherever it is."""
    return max([place for place in all_places if is_variant[place]] or all_places)


def _places_kept(
    own_places: list[int], referring: list[int], assignments: list[tuple[str, str]], places: dict[str, list[int]]
) -> dict[int, str]:
    """Return where a variable is exported and with which value, given the places of the values that refer to it."""
    first, last = own_places[0], own_places[-1]
    name, value = assignments[last]
    needed = _references(value)
    is_needed_before = any(first < place < last for place in referring)
    if first == last or not (is_needed_before or name in needed):
        return {last: value}
    if name in needed or any(first < places[other][0] < last for other in needed if other in places):
        return {place: assignments[place][1] for place in own_places}
    return {first: value}


def _references(value: str) -> set[str]:
    return set(_REFERENCE.findall(value)) if "$" in value else set()
