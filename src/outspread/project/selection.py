"""The jobs that a command line means, in the order in which they are listed."""

from collections.abc import Callable, Sequence
from itertools import groupby
from operator import attrgetter

from outspread.project.errors import ProjectError
from outspread.project.host_commands import HostCommands
from outspread.project.host_resolution import check_host_commands
from outspread.project.job_filter import JobFilter
from outspread.project.matrix import Matrix
from outspread.project.model import Job, Project

_name = attrgetter("name")


def select_jobs(project: Project, filters: Sequence[str], *, host: HostCommands) -> list[Job]:
    """Return the jobs that one of ``filters`` (or, without any, nothing) selects, by name, samples by number.

    What is manual is left out at each of the four levels, unless everything selected is manual there.

    The ``$(HOST:...)`` commands that the jobs need are run, and no others. Raises ProjectError when a filter has no
    meaning, the project's lists break their rules, a command fails, or no job is left.
    """
    job_filter = JobFilter(filters)
    matrix = Matrix(project)
    if job_filter:
        jobs = _without_manual(project, list(matrix.jobs(job_filter.passes, with_manual=True)))
    else:
        jobs = list(matrix.jobs(lambda _name, _sample: True, with_manual=False))
    if not jobs:
        if job_filter:
            raise ProjectError("nothing matches provider filter", hint="list without a filter shows all jobs but the manual ones")
        raise ProjectError(
            "cannot find any tasks", hint="each task is a directory with a task.yaml in the directory of its suite"
        )
    check_host_commands(project, jobs, host)
    return _in_listing_order(jobs)


def _in_listing_order(jobs: list[Job]) -> list[Job]:
    """Return ``jobs``, of which those of one task and system stand together, by name, but samples by number."""
    if all(job.samples == 1 for job in jobs):
        return sorted(jobs, key=_name)
    groups = [list(group) for _, group in groupby(jobs, key=lambda job: (job.backend, job.system, job.task))]
    groups.sort(key=lambda group: _common_name(group[0]))
    return [job for group in groups for job in sorted(group, key=lambda job: (job.sample, job.variant))]


def _common_name(job: Job) -> str:
    """Return how the names of all jobs begin that differ from ``job`` in variant and sample only."""
    name = f"{job.backend}:{job.system}:{job.task}"
    if job.variant:
        return f"{name}:"
    return f"{name}#" if job.samples > 1 else name


def _without_manual(project: Project, jobs: list[Job]) -> list[Job]:
    levels: tuple[Callable[[Job], bool], ...] = (
        lambda job: project.backends[job.backend].manual,
        lambda job: project.system(job).manual,
        lambda job: project.suites[job.suite].manual,
        lambda job: project.task(job).manual,
    )
    unwanted = [is_manual for is_manual in levels if not all(map(is_manual, jobs))]
    return [job for job in jobs if not any(is_manual(job) for is_manual in unwanted)]
