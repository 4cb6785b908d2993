"""Where sessions borrow the terminal of whoever started the run, one shell at a time."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Protocol

from outspread.errors import ConnectionLostError, UserError
from outspread.machines.contract import Shell, Terminal


class TerminalDesk(Protocol):
    """Lends one terminal."""

    def turn(self) -> AbstractAsyncContextManager[None]:
        """Wait for one's turn among all shells that want the terminal, and keep it."""
        ...

    async def borrow(self) -> Terminal:
        """Return the terminal once nobody else writes to it; UserError when there is none. Only within one's turn."""
        ...

    def give_back(self) -> None:
        """Leave the terminal as it was found. Idempotent."""
        ...


class NoTerminal:
    """The desk of a worker that no person sits at."""

    def turn(self) -> AbstractAsyncContextManager[None]:
        return nullcontext()

    async def borrow(self) -> Terminal:
        raise UserError("cannot open a shell: this worker has no terminal")

    def give_back(self) -> None:
        """Nothing was lent."""


async def open_shell(
    desk: TerminalDesk, shell: Shell, setup: bytes, *, opened: Callable[[], None], closed: Callable[[str], None]
) -> None:
    """Open a shell on the terminal of ``desk``; ``closed`` is always told, with what was wrong or "".

    Raises ConnectionLostError when the machine is lost; whatever else a shell comes to is only told.
    """
    async with desk.turn():
        opened()
        reason = "the run ended first"
        try:
            reason = await _interact(desk, shell, setup)
        except ConnectionLostError as error:
            reason = str(error)
            raise
        finally:
            desk.give_back()
            closed(reason)


async def _interact(desk: TerminalDesk, shell: Shell, setup: bytes) -> str:
    try:
        terminal = await desk.borrow()
    except UserError as error:
        return str(error)
    end = await shell.interact(setup, terminal)
    if end.passed:
        return ""
    return f"killed by signal {end.signal}" if end.exit_code is None else f"exit code {end.exit_code}"
