"""Submit jobs of an earlier run again, exactly as they were."""

from msgspec import structs

from outspread.client.following import all_jobs
from outspread.controller.command_port import CommandPort
from outspread.controller.command_values import CommandRun
from outspread.controller.values import JobState, Outcome
from outspread.errors import UserError

_NOT_PASSED = (Outcome.FAILED, Outcome.TIMEOUT, Outcome.INFRA, Outcome.CANCELLED)


async def rerun_of(port: CommandPort, run_id: str, *, only_failed: bool, new_id: str, owner: str) -> CommandRun:
    """Return a run of the jobs of ``run_id``; ``only_failed``: of those that ended without having passed.

    UserError when there are none.
    """
    numbers: set[int] = set()
    if only_failed:
        for outcome in _NOT_PASSED:
            numbers |= {job.number async for job in all_jobs(port, run_id, outcome=outcome)}
        numbers |= {job.number async for job in all_jobs(port, run_id, state=JobState.CANCELLED)}
    else:
        numbers |= {job.number async for job in all_jobs(port, run_id)}
    if not numbers:
        raise UserError(f"cannot run jobs of run {run_id} again: none has failed")
    earlier = await port.submission(run_id, tuple(sorted(numbers)))
    return structs.replace(earlier, run_id=new_id, owner=owner)
