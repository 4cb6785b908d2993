"""Jobs as ``list`` prints them."""

from collections.abc import Sequence

import msgspec
from msgspec import Struct

from outspread.project.model import Job


class ListedJob(Struct, frozen=True):
    """A job as ``list --json`` prints it: what its name is made of, ``suite`` with its slash, ``task`` with its suite."""

    name: str
    backend: str
    system: str
    suite: str
    task: str
    variant: str
    sample: int
    priority: int


def name_list(jobs: Sequence[Job]) -> str:
    """Return a line for each job."""
    return "".join([f"{job.name}\n" for job in jobs])


def json_list(jobs: Sequence[Job]) -> str:
    """Return a JSON array with an object a line."""
    rows = [
        msgspec.json.encode(
            ListedJob(job.name, job.backend, job.system, job.suite, job.task, job.variant, job.sample, job.priority)
        ).decode()
        for job in jobs
    ]
    return "[" + ",".join(f"\n{row}" for row in rows) + "\n]\n"
