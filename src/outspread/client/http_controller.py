"""A controller seen from afar: the worker port and the command port over its HTTP API.

Every call can be repeated without harm, and is, a limited number of times, when the network or a proxy fails or the controller
is just being started again. Importing this imports aiohttp.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from io import BytesIO
from types import TracebackType
from typing import Any, Final, Self, TypeVar
from urllib.parse import quote, urlsplit

import aiohttp
import msgspec
from msgspec import Struct

from outspread.client.refusal import error_of
from outspread.controller.command_values import (
    CommandAttempt,
    CommandJobStatus,
    CommandRun,
    CommandRunStatus,
    FlakyJob,
    JobPage,
    LogPart,
    RunProgress,
    SlotsNeeded,
    WorkerStatus,
)
from outspread.controller.exchange_values import Exchange, Orders
from outspread.controller.exchange_wire import EXCHANGE_PATH, MESSAGE_PACK, decode_orders, encode_exchange
from outspread.controller.farm_figures import FarmFigures
from outspread.controller.log_headers import LOG_ENDED, LOG_OFFSET, LOG_TOTAL
from outspread.controller.values import JobState, Outcome
from outspread.errors import InfrastructureError, NotFoundError, UserError
from outspread.store.retry_delays import retry_delays

_T = TypeVar("_T")

_API: Final = "/api/v1"
_CONNECTS_WITHIN_S: Final = 10.0
#: Beyond the time for which an answer may be held back.
_ANSWERS_WITHIN_S: Final = 60.0
_CONNECTIONS: Final = 16
_JSON: Final = "application/json"
_TRANSIENT: Final = frozenset({408, 502, 503, 504})


class _Answer(Struct, frozen=True):
    content: bytes
    headers: Mapping[str, str]


class HttpController:
    """The controller at ``url``. Use as an asynchronous context manager.

    ``token`` is of the role that the calls need; without one, all may be read, and more from the controller's own host.
    Raises what the controller raises, InfrastructureError when it cannot be reached, RefusedError when it wants another token.
    """

    def __init__(self, url: str, *, token: str = "") -> None:
        self._url = _checked_url(url)
        if not token.isascii() or not token.isprintable() or " " in token:
            raise UserError(f"cannot use controller {self._url}: the token has characters that no token has")
        self._token = token
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            headers={"Authorization": f"Bearer {self._token}"} if self._token else {},
            connector=aiohttp.TCPConnector(limit=_CONNECTIONS),
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._session is not None
        await self._session.close()

    # --- workers ---

    async def exchange(self, call: Exchange) -> Orders:
        answer = await self._call("POST", EXCHANGE_PATH, body=encode_exchange(call), kind=MESSAGE_PACK, wait_s=call.wait_s)
        try:
            return decode_orders(answer.content)
        except msgspec.MsgspecError as error:
            raise self._not_understood(error) from error

    async def workers(self) -> list[WorkerStatus]:
        return (await self._get("/workers", _Workers)).workers

    async def figures(self) -> FarmFigures:
        return await self._get("/figures", FarmFigures)

    async def slots_needed(self, run_id: str, *, within_s: float) -> SlotsNeeded:
        return await self._get(f"{_run_path(run_id)}/slots", SlotsNeeded, within_s=within_s)

    async def hold_worker(self, name: str, *, reason: str, for_s: float) -> None:
        await self._post("/workers/hold", {"worker": name, "reason": reason, "for_s": for_s}, object)

    # --- runs ---

    async def submit_commands(self, run: CommandRun) -> CommandRunStatus:
        return await self._post("/runs", run, CommandRunStatus)

    async def cancel(self, run_id: str, reason: str) -> None:
        await self._post(f"{_run_path(run_id)}/cancel", {"reason": reason}, object)

    async def command_runs(self, *, limit: int = 20, before: float | None = None, owner: str = "") -> list[CommandRunStatus]:
        return (await self._get("/runs", _Runs, limit=max(1, limit), before=before, owner=owner)).runs

    async def progress(self, run_id: str, *, cursor: int = 0, wait_s: float = 0.0) -> RunProgress:
        path = f"{_run_path(run_id)}/progress"
        return await self._get(path, RunProgress, wait_for_s=wait_s, cursor=max(0, cursor), wait_s=max(0.0, wait_s))

    async def jobs(
        self,
        run_id: str,
        *,
        after: int = -1,
        limit: int = 100,
        state: JobState | None = None,
        outcome: Outcome | None = None,
        flaky: bool | None = None,
        text: str = "",
    ) -> JobPage:
        told = None if flaky is None else str(flaky).lower()
        path = f"{_run_path(run_id)}/jobs"
        return await self._get(
            path, JobPage, after=max(-1, after), limit=max(1, limit), state=state, outcome=outcome, flaky=told, text=text
        )

    async def job(self, run_id: str, name_or_number: str | int) -> CommandJobStatus:
        if isinstance(name_or_number, int):
            return await self._get(f"{_run_path(run_id)}/jobs/{name_or_number}", CommandJobStatus)
        return await self._get(f"{_run_path(run_id)}/job", CommandJobStatus, name=name_or_number)

    async def submission(self, run_id: str, numbers: tuple[int, ...]) -> CommandRun:
        return await self._post(f"{_run_path(run_id)}/submission", {"numbers": numbers}, CommandRun)

    async def log_part(self, attempt_id: str, *, offset: int = 0, limit: int = 1024 * 1024, wait_s: float = 0.0) -> LogPart:
        wanted = {"offset": max(0, offset), "limit": max(0, limit), "wait_s": max(0.0, wait_s)}
        path = f"{_API}/attempts/{quote(attempt_id, safe='')}/log-part"
        answer = await self._call("GET", path, query=_query(wanted), wait_s=wait_s)
        try:
            return LogPart(
                offset=int(answer.headers[LOG_OFFSET]),
                data=answer.content,
                total_bytes=int(answer.headers[LOG_TOTAL]),
                ended=answer.headers[LOG_ENDED] == "true",
            )
        except (KeyError, ValueError) as error:
            raise self._not_understood(error) from error

    # --- over many runs ---

    async def job_history(self, project: str, key: str, *, limit: int = 20) -> list[CommandAttempt]:
        return (await self._get("/history", _Attempts, project=project, key=key, limit=max(1, limit))).attempts

    async def flaky_jobs(self, *, project: str | None = None, since: float = 0.0, limit: int = 100) -> list[FlakyJob]:
        return (await self._get("/flaky", _Flaky, project=project, since=max(0.0, since), limit=max(1, limit))).jobs

    # --- inside ---

    async def _get(self, path: str, answered: type[_T], *, wait_for_s: float = 0.0, **query: str | float | None) -> _T:
        answer = await self._call("GET", f"{_API}{path}", query=_query(query), wait_s=wait_for_s)
        return self._decoded(answer, answered)

    async def _post(self, path: str, body: object, answered: type[_T]) -> _T:
        answer = await self._call("POST", f"{_API}{path}", body=msgspec.json.encode(body), kind=_JSON)
        return self._decoded(answer, answered)

    def _decoded(self, answer: _Answer, answered: type[_T]) -> _T:
        try:
            return msgspec.json.decode(answer.content, type=answered)
        except msgspec.MsgspecError as error:
            raise self._not_understood(error) from error

    async def _call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
        kind: str = "",
        wait_s: float = 0.0,
    ) -> _Answer:
        delays = retry_delays(random.random)
        headers = {"Content-Type": kind} if kind else {}
        while True:
            try:
                async with self._answering(method, path, query, body, headers, wait_s) as response:
                    content = await response.read()
                    if response.status < 300:
                        return _Answer(content, response.headers)
                    error: Exception = error_of(self._url, response.status, content)
                    if response.status not in _TRANSIENT:
                        raise error
            except aiohttp.InvalidURL as invalid:
                raise UserError(f"cannot use controller {self._url}: it is no URL of a controller") from invalid
            except (aiohttp.ClientError, OSError, TimeoutError) as fault:
                error = InfrastructureError(
                    f"cannot reach the controller at {self._url}: {_words(fault)}", hint="is it running, and is the URL right?"
                )
                error.__cause__ = fault
            await _wait(delays, error)

    @asynccontextmanager
    async def _answering(
        self, method: str, path: str, query: Mapping[str, str] | None, body: bytes | None, headers: dict[str, str], wait_s: float
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        assert self._session is not None, "to be used as a context manager"
        timeout = aiohttp.ClientTimeout(
            total=None, sock_connect=_CONNECTS_WITHIN_S, sock_read=max(0.0, wait_s) + _ANSWERS_WITHIN_S
        )
        async with self._session.request(
            method,
            self._url + path,
            params=query,
            data=None if body is None else BytesIO(body),
            headers=headers,
            timeout=timeout,
            allow_redirects=False,
        ) as response:
            yield response

    def _not_understood(self, error: Exception) -> InfrastructureError:
        return InfrastructureError(
            f"cannot understand the controller at {self._url}: {error}", hint="is its version another?", retry=False
        )


class _Workers(Struct, frozen=True):
    workers: list[WorkerStatus]


class _Runs(Struct, frozen=True):
    runs: list[CommandRunStatus]


class _Attempts(Struct, frozen=True):
    attempts: list[CommandAttempt]


class _Flaky(Struct, frozen=True):
    jobs: list[FlakyJob]


async def _wait(delays: Iterator[float], error: Exception) -> None:
    """Wait for the next attempt, or give up."""
    delay = next(delays, None)
    if delay is None:
        raise error
    await asyncio.sleep(delay)


def _checked_url(url: str) -> str:
    hint = "such as http://127.0.0.1:8080"
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise UserError(f"cannot use controller {url[:200]!r}: {error}", hint=hint) from error
    if parts.username is not None or parts.password is not None:
        raise UserError("cannot use a controller with a password in its URL", hint="give a token instead")
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise UserError(f"cannot use controller {url[:200]!r}: it is no URL of a controller", hint=hint)
    return url.rstrip("/")


def _run_path(run_id: str) -> str:
    """Return where a run is. Raises NotFoundError for what can be no part of a path, and so no run's id."""
    if "/" in run_id or not run_id.strip("."):
        raise NotFoundError(f"cannot find run {run_id}: there is no such run")
    return f"/runs/{quote(run_id, safe='')}"


def _query(values: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in values.items() if value is not None and value != ""}


def _words(fault: BaseException) -> str:
    if isinstance(fault, TimeoutError):
        return "it does not answer"
    if isinstance(fault, aiohttp.ClientConnectorError) and fault.os_error.strerror:
        return fault.os_error.strerror.lower() if fault.os_error.errno else str(fault.os_error)
    return str(fault) or type(fault).__name__
