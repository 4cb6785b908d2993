"""The REST API of LXD and Incus, as far as it is needed: requests, operations that take their time, and web sockets."""

import asyncio
import math
import ssl
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp

from outspread.errors import InfrastructureError, UserError
from outspread.machines.lxd.servers import Server

_ANSWER_WITHIN_S = 30.0
_LONGEST_POLL_S = 20
#: How often a server elsewhere is asked whether it is still there; it has half of that to answer.
_HEARTBEAT_S = 20.0

Json = dict[str, Any]


class LxdError(InfrastructureError):
    """The server says no. ``status`` is HTTP's."""

    def __init__(self, message: str, *, status: int, retry: bool = True) -> None:
        super().__init__(message, retry=retry)
        self.status = status


class LxdApi:
    """One client of one server. Belongs to an event loop; to be closed."""

    def __init__(self, server: Server) -> None:
        """Raises UserError when its certificates cannot be used."""
        self.server = server
        self._base = server.url or "http://lxd"
        if server.socket:
            connector: aiohttp.BaseConnector = aiohttp.UnixConnector(path=server.socket)
        else:
            connector = aiohttp.TCPConnector(ssl=_ssl_context(server))
        self._http = aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=None, sock_connect=10))

    async def close(self) -> None:
        await self._http.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()

    async def get(self, path: str) -> Any:
        """Return what there is at ``path``."""
        return (await self._call("GET", path))["metadata"]

    async def change(self, method: str, path: str, body: Json | None = None, *, within_s: float) -> Json:
        """Ask for something that may take its time, and return the operation when it is done; LxdError when it failed."""
        operation = await self.begin(method, path, body)
        return await self.finished(operation, within_s=within_s) if operation else {}

    async def begin(self, method: str, path: str, body: Json | None = None) -> Json:
        """Ask for something, and return the operation that has begun; an empty one when it is done already."""
        answer = await self._call(method, path, body)
        metadata = answer.get("metadata")
        return metadata if answer.get("type") == "async" and isinstance(metadata, dict) else {}

    async def finished(self, operation: Json, *, within_s: float) -> Json:
        """Return an operation when it is done. Raises LxdError when it failed, InfrastructureError when it takes too long."""
        path = f"/1.0/operations/{operation['id']}/wait?timeout={_LONGEST_POLL_S}"
        try:
            async with asyncio.timeout(within_s if within_s < math.inf else None):
                while True:
                    operation = await self.get(path)
                    status = operation["status_code"]
                    if status == 200:
                        return operation
                    if status >= 400:
                        raise LxdError(str(operation.get("err") or operation.get("status")), status=status)
        except TimeoutError as error:
            what = operation.get("description") or "an operation"
            raise InfrastructureError(f"{self.server} did not end within {within_s:g} s: {what}") from error

    async def web_socket(self, operation: Json, secret: str, *, is_watched: bool = False) -> aiohttp.ClientWebSocketResponse:
        """Return one of the streams of an operation; pings are left to whoever reads it.

        One that ``is_watched`` ends when a server elsewhere is silent for too long. The server has to read from it.
        """
        heartbeat_s = _HEARTBEAT_S if is_watched and self.server.url else None
        url = f"{self._base}/1.0/operations/{operation['id']}/websocket"
        try:
            async with asyncio.timeout(_ANSWER_WITHIN_S):
                return await self._http.ws_connect(
                    url, params={"secret": secret}, max_msg_size=0, autoping=False, heartbeat=heartbeat_s
                )
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise InfrastructureError(f"cannot get a stream from {self.server}: {_text(error)}") from error

    async def _call(self, method: str, path: str, body: Json | None = None) -> Json:
        try:
            async with asyncio.timeout(_ANSWER_WITHIN_S + _LONGEST_POLL_S):
                async with self._http.request(method, f"{self._base}{path}", json=body) as response:
                    answer = await response.json(content_type=None)
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            raise _unreachable(self.server, error) from error
        if not isinstance(answer, dict):
            raise InfrastructureError(f"{self.server} answers what makes no sense")
        if answer.get("type") == "error":
            status = int(answer.get("error_code") or response.status)
            raise LxdError(str(answer.get("error")), status=status)
        return answer


def _unreachable(server: Server, error: Exception) -> InfrastructureError | UserError:
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    if isinstance(cause, FileNotFoundError):
        return UserError(f"cannot use LXD: there is no {server}", hint="is it running?")
    if isinstance(cause, PermissionError):
        return UserError(f"cannot use LXD: {server} may not be opened", hint="who uses it has to be root or in the group lxd")
    return InfrastructureError(f"cannot reach {server}: {_text(error)}")


def _text(error: Exception) -> str:
    return "no answer in time" if isinstance(error, TimeoutError) else str(error) or type(error).__name__


def _ssl_context(server: Server) -> ssl.SSLContext:
    context = ssl.create_default_context()
    try:
        if server.certificate:  # pinned when the client met the server: its name is nobody's business then
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.load_verify_locations(cafile=server.certificate)
        if Path(server.client_certificate).exists():
            context.load_cert_chain(server.client_certificate, server.client_key)
    except (OSError, ssl.SSLError) as error:
        raise UserError(f"cannot use the certificates for {server}: {error}") from error
    return context
