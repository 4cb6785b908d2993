"""``/runs``: submit, look at, and cancel runs of command jobs."""

from typing import Annotated

from litestar import get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import Parameter

from outspread.controller.command_port import CommandPort
from outspread.controller.command_values import CommandJobStatus, CommandRun, CommandRunStatus, JobPage, RunProgress
from outspread.controller.values import JobState, Outcome
from outspread.server.api_limits import LONGEST_WAIT_S, MOST_LISTED, SUBMISSION_LIMIT_BYTES
from outspread.server.api_values import Cancellation, Done, RunList, SubmissionPart
from outspread.server.gate import Gate, Right
from outspread.server.litestar_parts import allow

_Limit = Annotated[int, Parameter(ge=1, le=MOST_LISTED, description="How many at most.")]
_Wait = Annotated[
    float, Parameter(ge=0, le=LONGEST_WAIT_S, description="How long the answer is held back while there is nothing to tell, s.")
]


def run_routes(controller: CommandPort, gate: Gate) -> list[HTTPRouteHandler]:
    """Return the handlers."""
    submit_right = allow(gate, Right.SUBMIT)

    @post(
        "/runs",
        status_code=200,
        guards=[submit_right],
        request_max_body_size=SUBMISSION_LIMIT_BYTES,
        summary="Submit a run",
        description="Idempotent: the same id and content again changes nothing; other content under a known id is a conflict.",
    )
    async def submit(data: CommandRun) -> CommandRunStatus:
        return await controller.submit_commands(data)

    @get("/runs", summary="List runs, newest first")
    async def list_runs(
        limit: _Limit = 20,
        before: Annotated[float | None, Parameter(description="Only those submitted before this time, s since 1970.")] = None,
        owner: Annotated[str, Parameter(description="Only those of this owner.")] = "",
    ) -> RunList:
        runs = await controller.command_runs(limit=limit, before=before, owner=owner)
        return RunList(runs, runs[-1].submitted_at if len(runs) == limit else None)

    @get("/runs/{run_id:str}", summary="Look at a run")
    async def one_run(run_id: str) -> CommandRunStatus:
        return (await controller.progress(run_id, cursor=_END)).status

    @post(
        "/runs/{run_id:str}/cancel",
        status_code=200,
        guards=[submit_right],
        summary="Cancel a run",
        description="Final: none of its jobs begins any more, and those that run are stopped. Idempotent.",
    )
    async def cancel(run_id: str, data: Cancellation) -> Done:
        await controller.cancel(run_id, data.reason)
        return Done()

    @get("/runs/{run_id:str}/progress", summary="Wait for what becomes of a run")
    async def progress(
        run_id: str,
        cursor: Annotated[int, Parameter(ge=0, description="That of the answer before; 0 at first.")] = 0,
        wait_s: _Wait = 0.0,
    ) -> RunProgress:
        return await controller.progress(run_id, cursor=cursor, wait_s=wait_s)

    @get("/runs/{run_id:str}/jobs", summary="List jobs of a run, with their attempts")
    async def jobs(
        run_id: str,
        after: Annotated[int, Parameter(ge=-1, description="Only those with a number above; `next` of the answer before.")] = -1,
        limit: _Limit = 100,
        job_state: Annotated[JobState | None, Parameter(query="state", description="Only those in this state.")] = None,
        outcome: Annotated[Outcome | None, Parameter(description="Only those with this outcome.")] = None,
        flaky: Annotated[bool | None, Parameter(description="Only those that are flaky, or are not.")] = None,
        text: Annotated[str, Parameter(max_length=400, description="Only those with this in their name.")] = "",
    ) -> JobPage:
        return await controller.jobs(run_id, after=after, limit=limit, state=job_state, outcome=outcome, flaky=flaky, text=text)

    @get("/runs/{run_id:str}/jobs/{number:int}", summary="Look at a job, and at why it waits")
    async def numbered_job(run_id: str, number: int) -> CommandJobStatus:
        return await controller.job(run_id, number)

    @get("/runs/{run_id:str}/job", summary="Look at a job by its name")
    async def named_job(run_id: str, name: Annotated[str, Parameter(description="The whole name.")]) -> CommandJobStatus:
        return await controller.job(run_id, name)

    @post(
        "/runs/{run_id:str}/submission",
        status_code=200,
        guards=[submit_right],
        summary="Read jobs as they were submitted",
        description="Changes nothing. Needs the right to submit, for it tells environments.",
    )
    async def submission(run_id: str, data: SubmissionPart) -> CommandRun:
        return await controller.submission(run_id, data.numbers)

    return [submit, list_runs, one_run, cancel, progress, jobs, numbered_job, named_job, submission]


#: A cursor beyond everything that happens.
_END = 2**62
