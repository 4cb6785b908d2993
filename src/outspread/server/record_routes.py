"""``/history`` and ``/flaky``: how jobs did over many runs."""

from typing import Annotated

from litestar import get
from litestar.handlers import HTTPRouteHandler
from litestar.params import Parameter

from outspread.controller.command_port import CommandPort
from outspread.server.api_limits import MOST_LISTED
from outspread.server.api_values import AttemptList, FlakyList

_Limit = Annotated[int, Parameter(ge=1, le=MOST_LISTED, description="How many at most.")]


def record_routes(controller: CommandPort) -> list[HTTPRouteHandler]:
    """Return the handlers."""

    @get("/history", summary="List the last attempts of jobs of a key, newest first")
    async def history(
        key: Annotated[str, Parameter(description="The jobs' key: their name, if they were given none.")],
        project: Annotated[str, Parameter(description="Their project.")] = "",
        limit: _Limit = 20,
    ) -> AttemptList:
        return AttemptList(await controller.job_history(project, key, limit=limit))

    @get("/flaky", summary="List keys whose jobs passed only after a failure, the most often first")
    async def flaky(
        project: Annotated[str | None, Parameter(description="Only those of this project.")] = None,
        since: Annotated[float, Parameter(ge=0, description="Only what ended since, s since 1970.")] = 0.0,
        limit: _Limit = 100,
    ) -> FlakyList:
        return FlakyList(await controller.flaky_jobs(project=project, since=since, limit=limit))

    return [history, flaky]
