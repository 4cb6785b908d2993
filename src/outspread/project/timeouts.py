"""How long scripts may take."""

from outspread.project.model import Job, Project, Timeouts

DEFAULT_WARN_S = 5 * 60.0
DEFAULT_KILL_S = 15 * 60.0
_SHORTENED_BY_S = 1.0

_FIRST_ASKED = {"task": 0, "suite": 1, "backend": 2, "project": 3}


def timeouts_for(project: Project, job: Job, level: str) -> tuple[float, float]:
    """Return after how many seconds a script of ``level`` is warned of, and after how many it is killed.

    ``level``: "task", "suite", "backend" or "project"; it asks its own timeouts first, then those of the levels above. A
    kill that would fall together with a warning comes a second earlier, so that the warning is not the last word.
    """
    above = (project.task(job), project.suites[job.suite], project.backends[job.backend], project)
    asked = [owner.timeouts for owner in above[_FIRST_ASKED[level] :]]
    warn_s = _first(asked, "warn_s") or DEFAULT_WARN_S
    kill_s = _first(asked, "kill_s") or DEFAULT_KILL_S
    if kill_s % warn_s == 0 and kill_s > _SHORTENED_BY_S:
        kill_s -= _SHORTENED_BY_S
    return warn_s, kill_s


def local_timeouts_for(project: Project, backend: str = "") -> tuple[float, float]:
    """Return the same for a script on this host: of ``backend``, or of the project (``repack``)."""
    asked = [project.backends[backend].timeouts] if backend else []
    asked.append(project.timeouts)
    return _first(asked, "warn_s") or DEFAULT_WARN_S, _first(asked, "kill_s") or DEFAULT_KILL_S


def _first(asked: list[Timeouts], which: str) -> float | None:
    values = (timeouts.warn_s if which == "warn_s" else timeouts.kill_s for timeouts in asked)
    return next((value for value in values if value), None)
