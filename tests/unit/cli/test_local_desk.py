"""The terminal is lent when nothing else is shown there, and never kept."""

import asyncio
import io
import os
import pty
import termios
from collections.abc import Callable, Iterator

import pytest

from outspread.cli import local_desk
from outspread.cli.held_output import HeldOutput
from outspread.cli.local_desk import LocalDesk
from outspread.cli.local_terminal import LocalTerminal
from outspread.controller.values import Report, ShellClosed, ShellOpened
from outspread.errors import UserError
from outspread.machines.contract import WindowSize


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[int, int]]:
    """A pseudo-terminal in the place of standard input: the person's end and ours."""
    persons, ours = pty.openpty()
    monkeypatch.setattr(local_desk, "_STANDARD_INPUT", ours)
    yield persons, ours
    os.close(persons)
    os.close(ours)


def event(events: list[Report], kind: type) -> Report:
    return next(event for event in events if isinstance(event, kind))


def desk_and_output() -> tuple[LocalDesk, HeldOutput, Callable[[], bytes]]:
    raw = io.BytesIO()
    out = HeldOutput(io.TextIOWrapper(raw, encoding="utf-8"))
    return LocalDesk(out), out, raw.getvalue


def test_it_is_lent_only_after_the_event_was_shown(terminal: tuple[int, int], events: list[Report]) -> None:
    persons, ours = terminal
    before = termios.tcgetattr(ours)

    async def go() -> None:
        desk, out, written = desk_and_output()
        async with desk.turn():
            borrowing = asyncio.create_task(desk.borrow())
            await asyncio.sleep(0)
            assert not borrowing.done()
            desk.showing(event(events, ShellOpened))
            out.text.write("a shell opens\n")
            desk.shown(event(events, ShellOpened))
            lent = await borrowing
            assert termios.tcgetattr(ours) != before
            out.text.write("meanwhile\n")
            out.text.flush()
            os.write(persons, b"k\x03")
            assert await lent.read() == b"k\x03"
            await lent.write(b"shown")
            assert os.read(persons, 100) == b"shown"
            desk.give_back()
            desk.give_back()
        assert termios.tcgetattr(ours) == before
        assert os.get_blocking(ours)
        assert written() == b"a shell opens\n"
        desk.showing(event(events, ShellClosed))
        assert written() == b"a shell opens\nmeanwhile\n"

    asyncio.run(go())


def test_who_leaves_has_the_terminal_back_at_once(terminal: tuple[int, int], events: list[Report]) -> None:
    _, ours = terminal
    before = termios.tcgetattr(ours)

    async def go() -> None:
        desk, out, written = desk_and_output()
        desk.shown(event(events, ShellOpened))
        await desk.borrow()
        out.text.write("held\n")
        desk.leave()
        assert termios.tcgetattr(ours) == before
        assert written() == b"held\n"
        desk.give_back()

    asyncio.run(go())


def test_another_size_is_read_before_keys(terminal: tuple[int, int]) -> None:
    persons, ours = terminal

    async def go() -> None:
        lent = LocalTerminal(ours, "xterm")
        reading = asyncio.create_task(lent.read())
        await asyncio.sleep(0)
        termios.tcsetwinsize(persons, (12, 34))
        lent._note_resize()
        assert await reading == WindowSize(12, 34)
        lent.close()

    asyncio.run(go())


def test_a_slow_terminal_is_waited_for(terminal: tuple[int, int]) -> None:
    persons, ours = terminal
    much = b"0123456789abcdef" * 20_000

    async def go() -> None:
        lent = LocalTerminal(ours, "xterm")
        writing = asyncio.create_task(lent.write(much))
        shown = b""
        while len(shown) < len(much):
            shown += await asyncio.to_thread(os.read, persons, 65536)
        await writing
        assert shown == much
        lent.close()

    asyncio.run(go())


def test_no_terminal_is_a_clear_error(monkeypatch: pytest.MonkeyPatch, events: list[Report]) -> None:
    reading, writing = os.pipe()
    monkeypatch.setattr(local_desk, "_STANDARD_INPUT", reading)

    async def go() -> None:
        desk, _, _ = desk_and_output()
        desk.shown(event(events, ShellOpened))
        with pytest.raises(UserError, match=r"^cannot open a shell: standard input is no terminal$"):
            await desk.borrow()
        desk.leave()

    asyncio.run(go())
    os.close(reading)
    os.close(writing)
