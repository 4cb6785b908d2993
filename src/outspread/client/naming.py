"""What people call a job or an attempt: ``RUN.NUMBER.ATTEMPT``, ``RUN.NUMBER``, or the name of a job in a run."""

import re
from typing import Final

from outspread.controller.command_port import CommandPort
from outspread.controller.command_values import CommandAttempt, CommandJobStatus
from outspread.errors import UserError

_JOB: Final = re.compile(r"(?P<run>[A-Za-z0-9][A-Za-z0-9_-]*)\.(?P<number>[0-9]+)(?:\.(?P<attempt>[0-9]+))?", re.ASCII)


def is_id(name: str) -> bool:
    """Tell whether ``name`` is the id of a job or an attempt, which names its run, too."""
    return _JOB.fullmatch(name) is not None


async def find_job(port: CommandPort, name: str, *, run_id: str) -> CommandJobStatus:
    """Return a job by its id, or by one of its attempts', else by its name in ``run_id``; UserError when there is none."""
    if found := _JOB.fullmatch(name):
        return await port.job(found["run"], int(found["number"]))
    page = await port.jobs(run_id, text=name, limit=20)
    exact = [job for job in page.jobs if job.name == name]
    if len(exact or page.jobs) == 1:
        return (exact or page.jobs)[0]
    if not page.jobs:
        raise UserError(f"cannot find job {name}: run {run_id} has none of this name", hint="RUN.NUMBER names any job")
    several = ", ".join(job.name for job in page.jobs[:5])
    raise UserError(f"cannot find job {name}: several are named so: {several}")


async def find_attempt(port: CommandPort, name: str, *, run_id: str) -> tuple[CommandJobStatus, CommandAttempt]:
    """Return the attempt that ``name`` names, or the last one of the job that it names; UserError if there is none."""
    job = await find_job(port, name, run_id=run_id)
    found = _JOB.fullmatch(name)
    wanted = int(found["attempt"]) if found is not None and found["attempt"] else None
    attempts = [attempt for attempt in job.attempts if wanted is None or attempt.attempt == wanted]
    if not attempts:
        raise UserError(f"cannot find an attempt of {job.name}: {job.waiting or 'none has begun'}")
    return job, attempts[-1]
