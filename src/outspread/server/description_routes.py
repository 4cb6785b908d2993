"""``/openapi.json``: the API's description of itself."""

from typing import Any

from litestar import Request, Response, get
from litestar.handlers import HTTPRouteHandler


def description_routes() -> list[HTTPRouteHandler]:
    """Return the handlers."""

    @get("/openapi.json", summary="Describe the API")
    async def openapi(request: Request[Any, Any, Any]) -> Response[dict[str, Any]]:
        return Response(request.app.openapi_schema.to_schema(), media_type="application/json")

    return [openapi]
