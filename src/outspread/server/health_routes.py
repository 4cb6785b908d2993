"""``/healthz``, ``/readyz`` and ``/metrics``: for those who keep a controller."""

from collections.abc import Callable
from typing import Final

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler
from prometheus_client import CollectorRegistry, generate_latest

from outspread.server.problem import Code, ProblemError

_EXPOSITION: Final = "text/plain; version=0.0.4"


def health_routes(why_not_ready: Callable[[], str], registry: CollectorRegistry) -> list[HTTPRouteHandler]:
    """Return the handlers. ``why_not_ready`` tells why nothing can be served now; "" when it can."""

    @get("/healthz", media_type="text/plain", summary="Tell that the process lives")
    async def healthz() -> str:
        return "ok\n"

    @get("/readyz", media_type="text/plain", summary="Tell whether it can serve now")
    async def readyz() -> str:
        if reason := why_not_ready():
            raise ProblemError(Code.UNAVAILABLE, f"cannot serve now: {reason}")
        return "ready\n"

    @get("/metrics", media_type=_EXPOSITION, summary="Give figures to Prometheus")
    async def metrics() -> Response[bytes]:
        return Response(generate_latest(registry), media_type=_EXPOSITION)

    return [healthz, readyz, metrics]
