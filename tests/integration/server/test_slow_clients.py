"""Clients that are slow, or gone: a connection costs bounded time and room."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from outspread.server import http_server
from outspread.server.answer import send_answer
from outspread.server.asgi import Receive, Scope, Send
from outspread.server.http_server import serving_http


async def _app(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await send_answer(send, 200, b"hello", b"text/plain")


@asynccontextmanager
async def connected() -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    listening = socket.create_server(("127.0.0.1", 0))
    async with serving_http(_app, listening):
        reader, writer = await asyncio.open_connection(*listening.getsockname())
        try:
            yield reader, writer
        finally:
            writer.close()


@pytest.mark.parametrize("said", [b"", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nHost: x\r\nX-A: "])
async def test_headers_have_their_time(monkeypatch: pytest.MonkeyPatch, said: bytes) -> None:
    monkeypatch.setattr(http_server, "HEADERS_WITHIN_S", 0.1)
    async with connected() as (reader, writer):
        writer.write(said)
        async with asyncio.timeout(5):
            assert await reader.read() == b""


async def test_headers_that_come_drop_by_drop_have_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_server, "HEADERS_WITHIN_S", 0.1)
    async with connected() as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nX-A: ")
        dripping = asyncio.create_task(_drip(writer))
        async with asyncio.timeout(5):
            assert await reader.read() == b""
        dripping.cancel()


async def _drip(writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"a")
        await asyncio.sleep(0.01)


async def test_headers_have_their_room() -> None:
    async with connected() as (_, writer):
        writer.write(b"GET / HTTP/1.1\r\nX-A: ")
        with pytest.raises(ConnectionError):
            await _pour(writer, 100_000_000)


async def _pour(writer: asyncio.StreamWriter, size_bytes: int) -> None:
    for _ in range(size_bytes // 10_000):
        writer.write(b"a" * 10_000)
        await writer.drain()


async def test_who_is_in_time_is_served_and_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_server, "HEADERS_WITHIN_S", 0.2)
    async with connected() as (reader, writer):
        until = time.monotonic() + 0.5
        while time.monotonic() < until:
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200")
            assert b"server:" not in head.lower()
            assert await reader.readexactly(5) == b"hello"


async def test_answers_do_not_wait_for_acknowledgements() -> None:
    async with connected() as (reader, writer):
        began = time.monotonic()
        for _ in range(50):
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            await reader.readuntil(b"hello")
        assert time.monotonic() - began < 50 * 0.04 / 2  # with Nagle's algorithm, 40 ms each
