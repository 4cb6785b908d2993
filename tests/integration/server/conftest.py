"""A farm behind its doors, for those who knock by hand."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from msgspec import Struct
from tests.servers.farm import served_farm

from outspread.client.http_controller import HttpController


class Visitor(Struct, frozen=True):
    """``session`` speaks HTTP by hand, relative to ``url``; ``port`` is the same controller in the usual way."""

    url: str
    session: aiohttp.ClientSession
    port: HttpController


OpenDoor = Callable[..., AbstractAsyncContextManager[Visitor]]


@pytest.fixture
def open_door(tmp_path: Path) -> OpenDoor:
    @asynccontextmanager
    async def opened(*, require_token: bool = False, token: str = "") -> AsyncIterator[Visitor]:
        async with (
            served_farm(tmp_path, require_token=require_token) as url,
            aiohttp.ClientSession(url) as session,
            HttpController(url, token=token) as port,
        ):
            yield Visitor(url, session, port)

    return opened
