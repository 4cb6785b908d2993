"""Which text a step runs, where, and how the log names it: pure look-ups in the project."""

from outspread.controller.values import Level, Verb
from outspread.project.model import Job, Project, SkipCondition


def script_parts(project: Project, job: Job, verb: Verb, level: Level) -> tuple[str, ...]:
    """Return the scripts of a step in the order in which they run, each to be run in a subshell of its own."""
    task, suite, backend = project.task(job), project.suites[job.suite], project.backends[job.backend]
    parts: tuple[str, ...]
    if level is Level.TASK:
        match verb:
            case Verb.PREPARE:
                parts = (
                    project.scripts.prepare_each,
                    backend.scripts.prepare_each,
                    suite.scripts.prepare_each,
                    task.scripts.prepare,
                )
            case Verb.RESTORE:
                parts = (
                    task.scripts.restore,
                    suite.scripts.restore_each,
                    backend.scripts.restore_each,
                    project.scripts.restore_each,
                )
            case _:
                parts = (task.execute.strip(),)
    else:
        scripts = {Level.PROJECT: project.scripts, Level.BACKEND: backend.scripts, Level.SUITE: suite.scripts}[level]
        parts = (scripts.prepare if verb is Verb.PREPARE else scripts.restore,)
    return tuple(part for part in parts if part)


def debug_parts(project: Project, job: Job, level: Level) -> tuple[str, ...]:
    """Return what helps to understand a failure at ``level``: for a job also what the levels above want to see of each."""
    task, suite, backend = project.task(job), project.suites[job.suite], project.backends[job.backend]
    parts: tuple[str, ...]
    match level:
        case Level.TASK:
            parts = (task.scripts.debug, suite.scripts.debug_each, backend.scripts.debug_each, project.scripts.debug_each)
        case Level.SUITE:
            parts = (suite.scripts.debug,)
        case Level.BACKEND:
            parts = (backend.scripts.debug,)
        case Level.PROJECT:
            parts = (project.scripts.debug,)
    return tuple(part for part in parts if part)


def skip_conditions(project: Project, job: Job, level: Level) -> tuple[SkipCondition, ...]:
    """Return the conditions under which the job's suite or task is left out."""
    return project.suites[job.suite].skip if level is Level.SUITE else project.task(job).skip


def working_directory(project: Project, job: Job, level: Level) -> str:
    """Return where on the machine a step runs.

    Scripts of a suite run in the directory of the task in hand, as they do in Spread: projects rely on it.
    """
    return project.path if level in (Level.PROJECT, Level.BACKEND) else f"{project.path}/{job.task}"


def context_name(job: Job, level: Level) -> str:
    """Return what the log calls a step's subject: ``backend:system``, with the suite, or the job."""
    match level:
        case Level.TASK:
            return job.name
        case Level.SUITE:
            return f"{job.backend}:{job.system}:{job.suite}"
        case _:
            return f"{job.backend}:{job.system}"


def artifacts_directory(job: Job, level: Level) -> str:
    """Return where, under the directory for artifacts, those of a level are put."""
    return {Level.TASK: job.name, Level.SUITE: f"{job.backend}:{job.system}:{job.suite}"}.get(level, "")
