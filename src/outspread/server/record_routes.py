"""``/history`` and ``/flaky``: how jobs did over many runs."""

from typing import Annotated

from litestar import get
from litestar.handlers import HTTPRouteHandler
from litestar.params import QueryParameter

from outspread.controller.command_port import CommandPort
from outspread.server.api_limits import MOST_LISTED
from outspread.server.api_values import AttemptList, FlakyList

_Limit = Annotated[int, QueryParameter(ge=1, description=f"How many at most; {MOST_LISTED} is the limit.")]


def record_routes(controller: CommandPort) -> list[HTTPRouteHandler]:
    """Return the handlers."""

    @get("/history", summary="List the last attempts of jobs of a key, newest first")
    async def history(
        key: Annotated[str, QueryParameter(description="The jobs' key: their name, if they were given none.")],
        project: Annotated[str, QueryParameter(description="Their project.")] = "",
        limit: _Limit = 20,
    ) -> AttemptList:
        return AttemptList(await controller.job_history(project, key, limit=min(limit, MOST_LISTED)))

    @get("/flaky", summary="List keys whose jobs passed only after a failure, the most often first")
    async def flaky(
        project: Annotated[str | None, QueryParameter(description="Only those of this project.")] = None,
        since: Annotated[float, QueryParameter(ge=0, description="Only what ended since, s since 1970.")] = 0.0,
        limit: _Limit = 100,
    ) -> FlakyList:
        return FlakyList(await controller.flaky_jobs(project=project, since=since, limit=min(limit, MOST_LISTED)))

    return [history, flaky]
