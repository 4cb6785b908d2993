"""What people call a job or an attempt: ``RUN.NUMBER.ATTEMPT``, ``RUN.NUMBER``, or the name of a job in a run."""

import asyncio
import re
from collections.abc import Callable
from typing import Final

from outspread.controller.command_port import CommandPort
from outspread.controller.command_values import CommandAttempt, CommandJobStatus
from outspread.controller.values import JobState
from outspread.errors import NotFoundError, UserError

_ID: Final = re.compile(r"(?P<run>[A-Za-z0-9][A-Za-z0-9_-]*)\.(?P<number>[0-9]{1,9})(?:\.(?P<attempt>[0-9]{1,9}))?", re.ASCII)
_NAMED: Final = 5
_ASKS_EACH_S: Final = 0.5


async def find_job(port: CommandPort, name: str, *, in_run: Callable[[], str]) -> CommandJobStatus:
    """Return a job by its id, or by one of its attempts'; else by its name, or a part of it, in the run ``in_run`` tells.

    UserError when there is none, or there are several.
    """
    if found := _ID.fullmatch(name):
        try:
            return await port.job(found["run"], int(found["number"]))
        except NotFoundError:
            try:  # it may be a name all the same
                return await _job_named(port, name, in_run())
            except UserError:
                pass
            raise
    return await _job_named(port, name, in_run())


async def find_attempt(port: CommandPort, name: str, *, in_run: Callable[[], str]) -> CommandAttempt:
    """Return the attempt that ``name`` names, or the last one of the job that it names; NotFoundError if there is none."""
    job = await find_job(port, name, in_run=in_run)
    found = _ID.fullmatch(name)
    is_id = found is not None and job.name != name
    return attempt_of(job, int(found["attempt"]) if found is not None and is_id and found["attempt"] else None)


def attempt_of(job: CommandJobStatus, number: int | None) -> CommandAttempt:
    """Return the attempt of this number, or the last one; NotFoundError if there is none."""
    attempts = [attempt for attempt in job.attempts if number in (None, attempt.attempt)]
    if not attempts:
        which = "an attempt" if number is None else f"attempt {number}"
        raise NotFoundError(f"cannot find {which} of {job.name}: {job.waiting or job.reason or 'it has not begun'}")
    return attempts[-1]


async def wait_for_attempt(port: CommandPort, name: str, *, in_run: Callable[[], str]) -> CommandAttempt:
    """Return what ``find_attempt`` does, as soon as there is one. NotFoundError when there will be none."""
    while True:
        try:
            return await find_attempt(port, name, in_run=in_run)
        except NotFoundError:
            job = await find_job(port, name, in_run=in_run)
            if job.attempts or job.state in {JobState.DONE, JobState.CANCELLED}:
                raise
        await asyncio.sleep(_ASKS_EACH_S)


async def _job_named(port: CommandPort, name: str, run_id: str) -> CommandJobStatus:
    try:
        return await port.job(run_id, name)
    except NotFoundError:
        page = await port.jobs(run_id, text=name, limit=_NAMED + 1)
    if not page.jobs:
        raise NotFoundError(f"cannot find job {name}: run {run_id} has none that is named so", hint="RUN.NUMBER names any job")
    if len(page.jobs) > 1:
        several = ", ".join(job.name for job in page.jobs[:_NAMED]) + (", ..." if len(page.jobs) > _NAMED else "")
        raise UserError(f"cannot find job {name}: several are named so: {several}")
    return await port.job(run_id, page.jobs[0].number)
