"""How long a job is expected to take, from how long it took before. Pure; ``ledger`` keeps the figures."""

import math
from collections.abc import Iterable, Mapping, Sequence

from outspread.project.model import Job

#: Share of the newest duration in the expectation.
_NEWEST = 0.3
_PERCENTILE = 0.75


def duration_key(job: Job) -> str:
    """Return the name under which durations of ``job`` are kept: samples of a task are alike."""
    return job.name.rpartition("#")[0] if job.samples > 1 else job.name


def smoothed(old_s: float, new_s: float) -> float:
    """Return the expectation after one more passed attempt took ``new_s``."""
    return (1 - _NEWEST) * old_s + _NEWEST * new_s


def expected(jobs: Iterable[Job], known_s: Mapping[str, float]) -> list[float]:
    """Return what to expect of each job; one without history is put at the 75th percentile of those with, 0 when none has."""
    found = [known_s.get(duration_key(job)) for job in jobs]
    ranked = sorted(duration for duration in found if duration is not None)
    unknown = usual(ranked)
    return [unknown if duration is None else duration for duration in found]


def usual(ranked_s: Sequence[float]) -> float:
    """Return the 75th percentile of durations, given in rising order; 0 when there are none."""
    return ranked_s[math.ceil(_PERCENTILE * len(ranked_s)) - 1] if ranked_s else 0.0
