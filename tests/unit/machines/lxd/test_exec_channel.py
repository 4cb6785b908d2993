import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, cast

import aiohttp
import pytest
from aiohttp import WSMessage, WSMsgType

from outspread.errors import ConnectionLostError
from outspread.machines.contract import ScriptEnd
from outspread.machines.lxd import exec_channel
from outspread.machines.lxd.end_frame import EndFrame
from outspread.machines.lxd.exec_channel import ExecChannel
from outspread.machines.ssh.command_channel import CommandChannel

CLOSED = WSMessage(WSMsgType.CLOSED, None, None)
ALL = WSMessage(WSMsgType.TEXT, "", None)
PING = WSMessage(WSMsgType.PING, b"", None)


class FakeStream:
    """A web socket whose other side says what a test puts in."""

    def __init__(self) -> None:
        self.incoming: asyncio.Queue[WSMessage] = asyncio.Queue()
        self.sent: list[bytes | str] = []
        self.is_gone = False

    def says(self, *messages: WSMessage | bytes) -> None:
        for message in messages:
            self.incoming.put_nowait(WSMessage(WSMsgType.BINARY, message, None) if isinstance(message, bytes) else message)

    async def receive(self) -> WSMessage:
        return await self.incoming.get()

    async def send_bytes(self, piece: bytes) -> None:
        if self.is_gone:
            raise aiohttp.ClientConnectionResetError("Cannot write to closing transport")
        self.sent.append(piece)

    async def send_str(self, text: str) -> None:
        self.sent.append(text)

    async def pong(self, _payload: bytes) -> None:
        await self.send_bytes(b"pong")

    async def close(self) -> None:
        self.is_gone = True


class Running:
    """A program with streams, and the session that sees it through."""

    def __init__(self, *names: str) -> None:
        self.streams = {name: FakeStream() for name in names}
        self.frame = EndFrame()
        self.mark = b"\x1e" + self.frame.command("")[-1].encode() + b":"
        self.said: list[bytes] = []
        self.session = CommandChannel(self.said.append, self.said.append)
        streams = cast("exec_channel.Streams", self.streams)
        self.channel = ExecChannel(streams, self.frame, self.session)


def on_a_program(*names: str) -> Callable[[Callable[[Running], Coroutine[Any, Any, None]]], None]:
    def run(body: Callable[[Running], Coroutine[Any, Any, None]]) -> None:
        async def main() -> None:
            running = Running(*names)
            async with asyncio.timeout(10):
                await body(running)
                running.channel.close()
                await running.channel.carrying
            assert all(stream.is_gone for stream in running.streams.values())

        asyncio.run(main())

    return run


PIPES = on_a_program("0", "1", "2", "control")
TERMINAL = on_a_program("0", "control")


def test_the_end_is_known_while_others_still_have_the_streams() -> None:
    @PIPES
    async def _(running: Running) -> None:
        running.streams["1"].says(b"out", running.mark + b"3;")
        assert await running.session.see_through() == ScriptEnd(exit_code=3)
        assert running.said == [b"out"]


def test_output_that_waited_is_read_when_the_server_has_hung_up() -> None:
    @PIPES
    async def _(running: Running) -> None:
        running.session.hold()
        for name in ("1", "2", "control"):
            running.streams[name].is_gone = True
            running.streams[name].says(PING)
        running.streams["1"].says(b"out", running.mark + b"137!;", ALL, CLOSED)
        running.streams["2"].says(b"err", ALL, CLOSED)
        running.streams["control"].says(CLOSED)
        await asyncio.sleep(0)
        running.session.take()
        assert await running.session.see_through() == ScriptEnd(exit_code=None, signal=9)
        assert sorted(running.said) == [b"err", b"out"]


def test_streams_that_end_without_a_frame_are_a_lost_machine() -> None:
    @PIPES
    async def _(running: Running) -> None:
        running.streams["1"].says(b"out", ALL)
        running.streams["2"].says(ALL)
        with pytest.raises(ConnectionLostError, match="without a word"):
            await running.session.see_through()


def test_a_program_that_is_no_more_and_says_nothing_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exec_channel, "_SILENCE_S", 0.01)

    @PIPES
    async def _(running: Running) -> None:
        running.streams["control"].says(CLOSED)
        with pytest.raises(ConnectionLostError, match="without a word"):
            await running.session.see_through()


def test_input_that_nobody_takes_any_more_does_not_matter() -> None:
    @PIPES
    async def _(running: Running) -> None:
        running.streams["0"].is_gone = True
        for _ in range(40):
            await asyncio.wait_for(running.session.write(b"x" * 100_000), 5)
        running.streams["1"].says(running.mark + b"0;", ALL)
        running.streams["2"].says(ALL)
        assert await running.session.see_through() == ScriptEnd(exit_code=0)


def test_a_terminal_is_told_that_the_end_was_seen_and_does_not_show_it() -> None:
    @TERMINAL
    async def _(running: Running) -> None:
        terminal = running.streams["0"]
        terminal.says(b"$ exit\r\n", running.mark + b"130;")
        while not terminal.sent:
            await asyncio.sleep(0)
        assert terminal.sent == [running.frame.seen()]
        terminal.says(running.frame.seen(), CLOSED)
        assert await running.session.see_through() == ScriptEnd(exit_code=130)
        assert running.said == [b"$ exit\r\n"]
