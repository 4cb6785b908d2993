"""One machine for a person: got, given the project's content, and theirs for as long as the shell is open."""

import asyncio
import time
from collections.abc import Callable

from outspread.controller.values import Level, Report, Seat, SeatClosed, ShellClosed, ShellOccasion, ShellOpened, Verb
from outspread.machines.prologue import render_shell_setup
from outspread.project.environment import system_environment
from outspread.project.host_commands import no_host_commands
from outspread.worker.end_of_work import end_of_work
from outspread.worker.machine_supply import MachineSupply
from outspread.worker.terminal_desk import TerminalDesk, open_shell


class Visit:
    """Carries the seat of a run that has no jobs, as a ``Session`` does one that has."""

    def __init__(self, seat: Seat, supply: MachineSupply, *, report: Callable[[Report], None], desk: TerminalDesk) -> None:
        self._seat = seat
        self._supply = supply
        self._report = report
        self._desk = desk
        self._cancel_reason = ""
        self._work: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Open the shell, and when it ends give the machine back and report the seat closed. Raises nothing of its own."""
        self._work = asyncio.create_task(self._open())
        reason = "the worker was stopped"
        try:
            reason = await end_of_work(self._work, lambda: self._cancel_reason)
        finally:
            self._work.cancel()
            await asyncio.wait([self._work])
            try:
                await self._supply.release()
            finally:
                self._report(SeatClosed(time.time(), self._seat.seat_id, self._seat.fence, reason))

    def cancel(self, reason: str) -> None:
        """End the shell at once."""
        self._cancel_reason = reason
        if self._work is not None:
            self._work.cancel()

    async def _open(self) -> None:
        seat = self._seat
        shell = await self._supply.acquire()
        machine = self._supply.machine
        context = f"{seat.backend}:{seat.system}"
        subject = (Verb.EXECUTE, Level.PROJECT, context, str(machine), machine.label, seat.backend, seat.system)
        setup = render_shell_setup(
            prompt=f"{context} .../",
            directory=seat.project.path,
            environment=system_environment(seat.project, seat.backend, seat.system, no_host_commands),
        )
        await open_shell(
            self._desk,
            shell,
            setup,
            opened=lambda: self._report(ShellOpened(time.time(), *subject, occasion=ShellOccasion.VISIT)),
            closed=lambda reason: self._report(ShellClosed(time.time(), *subject, occasion=ShellOccasion.VISIT, reason=reason)),
        )
