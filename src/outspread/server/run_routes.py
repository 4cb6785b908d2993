"""``/runs``: submit, look at, and cancel runs of command jobs."""

from typing import Annotated

from litestar import get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody, PathParameter, QueryParameter

from outspread.controller.command_port import CommandPort
from outspread.controller.command_values import CommandJobStatus, CommandRun, CommandRunStatus, JobPage, RunProgress, SlotsNeeded
from outspread.controller.values import JobState, Outcome
from outspread.server.api_limits import LARGEST_NUMBER, LONGEST_SPAN_S, LONGEST_WAIT_S, MOST_LISTED, SUBMISSION_LIMIT_BYTES
from outspread.server.api_values import Cancellation, Done, RunList, SubmissionPart
from outspread.server.gate import Gate, Right
from outspread.server.litestar_parts import allow

_Limit = Annotated[int, QueryParameter(ge=1, description=f"How many at most; {MOST_LISTED} is the limit.")]
_Number = Annotated[int, PathParameter(ge=0, le=LARGEST_NUMBER, description="Its place in the submission, from 0.")]
_Wait = Annotated[
    float,
    QueryParameter(
        ge=0, description=f"How long the answer is held back while there is nothing to tell, s; {LONGEST_WAIT_S:g} at most."
    ),
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
    async def submit(data: JSONBody[CommandRun]) -> CommandRunStatus:
        return await controller.submit_commands(data)

    @get("/runs", summary="List runs, newest first")
    async def list_runs(
        limit: _Limit = 20,
        before: Annotated[
            float | None, QueryParameter(description="Only those submitted before this time, s since 1970.")
        ] = None,
        owner: Annotated[str, QueryParameter(description="Only those of this owner.")] = "",
    ) -> RunList:
        runs = await controller.command_runs(limit=min(limit, MOST_LISTED), before=before, owner=owner)
        return RunList(runs, runs[-1].submitted_at if len(runs) >= min(limit, MOST_LISTED) else None)

    @get("/runs/{run_id:str}", summary="Look at a run")
    async def one_run(run_id: FromPath[str]) -> CommandRunStatus:
        return (await controller.progress(run_id, cursor=LARGEST_NUMBER)).status

    @post(
        "/runs/{run_id:str}/cancel",
        status_code=200,
        guards=[submit_right],
        summary="Cancel a run",
        description="Final: none of its jobs begins any more, and those that run are stopped. Idempotent.",
    )
    async def cancel(run_id: FromPath[str], data: JSONBody[Cancellation]) -> Done:
        await controller.cancel(run_id, data.reason)
        return Done()

    @get("/runs/{run_id:str}/progress", summary="Wait for what becomes of a run")
    async def progress(
        run_id: FromPath[str],
        cursor: Annotated[int, QueryParameter(ge=0, le=LARGEST_NUMBER, description="That of the answer before; 0 at first.")] = 0,
        wait_s: _Wait = 0.0,
    ) -> RunProgress:
        return await controller.progress(run_id, cursor=cursor, wait_s=min(wait_s, LONGEST_WAIT_S))

    @get("/runs/{run_id:str}/jobs", summary="List jobs of a run, with their attempts")
    async def jobs(
        run_id: FromPath[str],
        after: Annotated[
            int,
            QueryParameter(ge=-1, le=LARGEST_NUMBER, description="Only those with a number above; `next` of the answer before."),
        ] = -1,
        limit: _Limit = 100,
        job_state: Annotated[JobState | None, QueryParameter(name="state", description="Only those in this state.")] = None,
        outcome: Annotated[Outcome | None, QueryParameter(description="Only those with this outcome.")] = None,
        flaky: Annotated[bool | None, QueryParameter(description="Only those that are flaky, or are not.")] = None,
        text: Annotated[str, QueryParameter(max_length=400, description="Only those with this in their name.")] = "",
    ) -> JobPage:
        return await controller.jobs(
            run_id, after=after, limit=min(limit, MOST_LISTED), state=job_state, outcome=outcome, flaky=flaky, text=text
        )

    @get("/runs/{run_id:str}/jobs/{number:int}", summary="Look at a job, and at why it waits")
    async def numbered_job(run_id: FromPath[str], number: _Number) -> CommandJobStatus:
        return await controller.job(run_id, number)

    @get("/runs/{run_id:str}/job", summary="Look at a job by its name")
    async def named_job(
        run_id: FromPath[str], name: Annotated[str, QueryParameter(description="The whole name.")]
    ) -> CommandJobStatus:
        return await controller.job(run_id, name)

    @get("/runs/{run_id:str}/slots", summary="Ask how many slots it takes to finish a run in time")
    async def slots(
        run_id: FromPath[str],
        within_s: Annotated[float, QueryParameter(gt=0, le=LONGEST_SPAN_S, description="In how many seconds, from now.")],
    ) -> SlotsNeeded:
        return await controller.slots_needed(run_id, within_s=within_s)

    @post(
        "/runs/{run_id:str}/submission",
        status_code=200,
        guards=[submit_right],
        summary="Read jobs as they were submitted",
        description="Changes nothing. Needs the right to submit, for it tells environments.",
    )
    async def submission(run_id: FromPath[str], data: JSONBody[SubmissionPart]) -> CommandRun:
        return await controller.submission(run_id, data.numbers)

    return [submit, list_runs, one_run, cancel, progress, jobs, numbered_job, named_job, slots, submission]
