"""``/workers`` and ``/figures``: who works, who shall not, and how it all goes."""

from litestar import get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import JSONBody

from outspread.controller.command_port import CommandPort
from outspread.controller.farm_figures import FarmFigures
from outspread.server.api_values import Done, WorkerHold, WorkerList
from outspread.server.gate import Gate, Right
from outspread.server.litestar_parts import allow
from outspread.server.problem import Code, ProblemError

_LONGEST_HOLD_S = 10 * 365 * 24 * 3600.0


def worker_routes(controller: CommandPort, gate: Gate) -> list[HTTPRouteHandler]:
    """Return the handlers."""

    @get("/workers", summary="List workers")
    async def workers() -> WorkerList:
        return WorkerList(await controller.workers())

    @post(
        "/workers/hold",
        status_code=200,
        guards=[allow(gate, Right.ADMINISTER)],
        summary="Hold a worker",
        description="It takes no more work for so long, and ends what it has. `for_s: 0` ends the hold.",
    )
    async def hold(data: JSONBody[WorkerHold]) -> Done:
        if not 0 <= data.for_s <= _LONGEST_HOLD_S:
            raise ProblemError(Code.INVALID, f"cannot hold a worker for {data.for_s:g} s: at most for ten years")
        await controller.hold_worker(data.worker, reason=data.reason[:1000], for_s=data.for_s)
        return Done()

    @get("/figures", summary="Look at how the farm goes", description="Counters count from the start of the controller.")
    async def figures() -> FarmFigures:
        return await controller.figures()

    return [workers, hold, figures]
