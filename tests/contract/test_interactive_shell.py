"""What every Shell promises of the terminals that it joins."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from outspread.machines.contract import ScriptEnd, Shell, WindowSize
from outspread.machines.prologue import render_shell_setup

OpenShell = Callable[[], AbstractAsyncContextManager[Shell]]

SETUP = b"PS1='READY> '\n"


class FakeTerminal:
    """A terminal without a person: keys are put in, what is shown is looked for."""

    kind = "vt100"

    def __init__(self) -> None:
        self.size = WindowSize(31, 97)
        self.keys: asyncio.Queue[bytes | WindowSize] = asyncio.Queue()
        self.screen = b""
        self.changed = asyncio.Event()
        self.takes = asyncio.Event()
        self.takes.set()
        self.broken = False

    async def read(self) -> bytes | WindowSize:
        return await self.keys.get()

    async def write(self, piece: bytes) -> None:
        await self.takes.wait()
        if self.broken:
            raise OSError(5, "gone")
        self.screen += piece
        self.changed.set()

    def type(self, text: str) -> None:
        self.keys.put_nowait(text.encode())

    async def shows(self, text: bytes, *, within_s: float = 10) -> None:
        async with asyncio.timeout(within_s):
            while text not in self.screen:
                self.changed.clear()
                await self.changed.wait()
        self.screen = self.screen.partition(text)[2]


def joined(open_shell: OpenShell, body: Callable[[FakeTerminal, Shell], Coroutine[Any, Any, None]]) -> ScriptEnd:
    """Open a shell on a terminal, do ``body`` with it, and return how the shell ended."""

    async def main() -> ScriptEnd:
        async with open_shell() as shell:
            terminal = FakeTerminal()
            shown = asyncio.create_task(shell.interact(SETUP, terminal))
            try:
                await terminal.shows(b"READY> ")
                await body(terminal, shell)
                async with asyncio.timeout(20):
                    return await shown
            finally:
                shown.cancel()
                await asyncio.wait([shown])

    return asyncio.run(main())


def test_it_is_a_terminal_of_the_right_kind_and_size(open_shell: OpenShell) -> None:
    async def body(terminal: FakeTerminal, shell: Shell) -> None:
        terminal.type("stty size; echo $TERM; test -t 0 && test -t 1 && test -t 2 && tty >/dev/null && echo all; : >&3\r")
        await terminal.shows(b"31 97\r\nvt100\r\nall\r\n")
        await terminal.shows(b"Bad file descriptor")  # nothing of ours is left open
        terminal.type("exit\r")

    assert joined(open_shell, body).passed is False  # the status of the last command


def test_how_it_ended(open_shell: OpenShell) -> None:
    async def leave(terminal: FakeTerminal, shell: Shell) -> None:
        terminal.type("exit 5\r")

    async def end_of_input(terminal: FakeTerminal, shell: Shell) -> None:
        terminal.type("true\r")
        await terminal.shows(b"READY> ")
        terminal.type("\x04")

    assert joined(open_shell, leave) == ScriptEnd(exit_code=5)
    assert joined(open_shell, end_of_input) == ScriptEnd(exit_code=0)


def test_another_size_is_told_to_what_runs(open_shell: OpenShell) -> None:
    async def body(terminal: FakeTerminal, shell: Shell) -> None:
        terminal.type('bash -c \'trap "stty size" WINCH; echo wait""ing; until read -r -t 0.02; do :; done\'\r')
        await terminal.shows(b"waiting\r")
        terminal.keys.put_nowait(WindowSize(7, 300))
        await terminal.shows(b"\n7 300\r\n")
        terminal.type("\r")
        await terminal.shows(b"READY> ")
        terminal.type("exit 0\r")

    assert joined(open_shell, body).passed


def test_keys_that_interrupt_reach_the_command_and_not_the_shell(open_shell: OpenShell) -> None:
    async def body(terminal: FakeTerminal, shell: Shell) -> None:
        terminal.type("sh -c 'echo begin\"\"s; exec sleep 986'\r")
        await terminal.shows(b"begins\r\n")
        terminal.type("\x03")
        await terminal.shows(b"READY> ")
        terminal.type("exit $?\r")

    assert joined(open_shell, body) == ScriptEnd(exit_code=130)


def test_scripts_run_before_and_after(open_shell: OpenShell) -> None:
    async def main() -> None:
        async with open_shell() as shell:
            said: list[bytes] = []
            for number in range(2):
                terminal = FakeTerminal()
                shown = asyncio.create_task(shell.interact(SETUP, terminal))
                await terminal.shows(b"READY> ")
                terminal.type(f"(sleep 20 &); exit {number}\r")  # what is left behind goes on
                assert await shown == ScriptEnd(exit_code=number)
                assert (await shell.run(b"tty; echo ran", output=said.append, kill_after_s=30)).passed
            assert b"".join(said) == b"not a tty\nran\n" * 2

    asyncio.run(main())


def test_a_terminal_that_is_gone_ends_all_that_was_started(open_shell: OpenShell) -> None:
    async def hang_up(terminal: FakeTerminal, shell: Shell) -> None:
        terminal.type("(setsid sleep 984 &); sleep 984\r")
        terminal.keys.put_nowait(b"")

    async def break_down(terminal: FakeTerminal, shell: Shell) -> None:
        terminal.broken = True
        terminal.type("(setsid sleep 984 &); sleep 984\r")

    for body in (hang_up, break_down):
        end = joined(open_shell, body)
        assert (end.passed, end.exit_code) == (False, None)


def test_cancelled_it_leaves_nothing_running(open_shell: OpenShell) -> None:
    async def main() -> None:
        async with open_shell() as shell:
            terminal = FakeTerminal()
            shown = asyncio.create_task(shell.interact(SETUP, terminal))
            await terminal.shows(b"READY> ")
            terminal.type("setsid sleep 983.25 & sleep 983.5\r")
            await terminal.shows(b"\n")
            shown.cancel()
            with pytest.raises(asyncio.CancelledError):
                await shown
            said: list[bytes] = []
            await shell.run(b"pgrep -f 'sleep 983[.]' || echo none", output=said.append, kill_after_s=30)
            assert b"".join(said) == b"none\n"

    asyncio.run(main())


def test_a_slow_terminal_holds_the_machine_back_and_loses_nothing(open_shell: OpenShell) -> None:
    async def body(terminal: FakeTerminal, shell: Shell) -> None:
        terminal.takes.clear()
        terminal.type("seq -f %07.0f 50000; echo do'ne'; exit 0\r")
        await asyncio.sleep(0.2)  # what comes meanwhile is not taken
        terminal.takes.set()
        await terminal.shows(b"".join(b"%07d\r\n" % number for number in range(1, 50_001)) + b"done\r\n", within_s=30)

    assert joined(open_shell, body).passed


def test_a_slow_terminal_can_still_be_left(open_shell: OpenShell) -> None:
    async def main() -> None:
        async with open_shell() as shell:
            terminal = FakeTerminal()
            shown = asyncio.create_task(shell.interact(SETUP, terminal))
            await terminal.shows(b"READY> ")
            terminal.takes.clear()
            terminal.type("yes\r")
            await asyncio.sleep(0.2)
            shown.cancel()
            with pytest.raises(asyncio.CancelledError):
                await shown
            assert (await shell.run(b"true", output=lambda _: None, kill_after_s=30)).passed

    asyncio.run(main())


def test_what_a_job_sets_is_there(open_shell: OpenShell) -> None:
    setup = render_shell_setup(
        prompt="b:s .../",
        directory="/usr/lib",
        environment=(
            ("FIRST", "one two"),
            ("BROKEN", "$(unclosed"),
            ("SECOND", "$FIRST three"),
            ("QUOTED", "'$FIRST'"),
            ("UNSET", "$NOT_THERE-"),
        ),
    )

    async def main() -> None:
        async with open_shell() as shell:
            terminal = FakeTerminal()
            shown = asyncio.create_task(shell.interact(setup, terminal))
            await terminal.shows(b"b:s .../lib# ")
            terminal.type(
                "echo \"<$FIRST|$SECOND|$QUOTED|$UNSET|$PWD>\"; echo abc | MATCH b && echo abc | NOMATCH d && echo bo'th'\r"
            )
            await terminal.shows(b"<one two|one two three|$FIRST|-|/usr/lib>\r\nboth\r\n")
            terminal.type("exit 0\r")
            assert (await shown).passed

    asyncio.run(main())
