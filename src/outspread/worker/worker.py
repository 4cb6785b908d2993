"""The worker: takes seats from a controller and carries a session for each, all through the controller port.

Two loops share the port: one listens for what the controller wants (a long poll), one tells what happened as soon as
something has. Sessions only see an outbox to drop reports into and a way to ask for the next job.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import IO

from outspread.controller.exchange_values import Exchange, Orders
from outspread.controller.port import ControllerPort
from outspread.controller.values import (
    Assignment,
    JobWanted,
    Report,
    Seat,
)
from outspread.machines.contract import MachineBackend
from outspread.machines.reuse.kept_machines import KeptMachines
from outspread.machines.reuse.machine_book import unwritten_book
from outspread.worker.machine_supply import MachineSupply
from outspread.worker.script_order import WantJob
from outspread.worker.session import Session
from outspread.worker.terminal_desk import NoTerminal, TerminalDesk
from outspread.worker.visit import Visit

LISTEN_S = 20.0


class Worker:
    """Does the work of the seats that ``port`` gives it, at most ``slots`` at a time.

    ``archive_of`` opens the packed content of a run; ``artifacts`` is where those of a run go (None: they are not fetched).
    ``desk`` lends the terminal of whoever started it all, where there is one.
    ``kept`` knows the machines of earlier runs; ``password`` is that of machines that have none of their own ("": chosen).
    """

    def __init__(
        self,
        port: ControllerPort,
        *,
        name: str,
        slots: int,
        backend_of: Callable[[str], MachineBackend],
        archive_of: Callable[[str], IO[bytes]],
        artifacts: Path | None = None,
        desk: TerminalDesk | None = None,
        kept: KeptMachines | None = None,
        password: str = "",
    ) -> None:
        self._port = port
        self._name = name
        self._slots = slots
        self._backend_of = backend_of
        self._archive_of = archive_of
        self._artifacts = artifacts
        self._desk = desk or NoTerminal()
        self._kept = kept or unwritten_book()
        self._password = password
        self._sessions: dict[str, Session | Visit] = {}
        self._runs: dict[str, str] = {}  # seat -> run; each takes a slot
        self._outbox: list[tuple[str, Report]] = []
        self._wants: list[JobWanted] = []
        self._waiting: dict[str, asyncio.Future[Assignment]] = {}
        self._news = asyncio.Event()
        self._flushes: list[asyncio.Future[None]] = []  # who waits until what was reported so far is with the controller

    async def serve(self) -> None:
        """Work until cancelled; then sessions end at once, machines are given back, and what was reported is delivered."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._listen(group))
                group.create_task(self._tell(group))
        finally:
            await self._deliver(None)

    def cancel_run(self, run_id: str, reason: str) -> None:
        """End the run's sessions at once."""
        for seat_id, session in self._sessions.items():
            if self._runs[seat_id] == run_id:
                session.cancel(reason)

    async def _listen(self, group: asyncio.TaskGroup) -> None:
        while True:
            call = Exchange(self._name, self._free_slots(), wait_s=LISTEN_S)
            self._obey(await self._port.exchange(call), group)

    def _free_slots(self) -> int:
        return max(0, self._slots - len(self._runs))

    async def _tell(self, group: asyncio.TaskGroup) -> None:
        while True:
            await self._news.wait()
            await self._deliver(group)

    async def _deliver(self, group: asyncio.TaskGroup | None) -> None:
        """Tell all there is to tell; without ``group`` (at the end) new work is not taken."""
        self._news.clear()
        if not self._outbox and not self._wants:
            return
        reports, self._outbox = self._outbox, []
        wants, self._wants = self._wants, []
        flushes, self._flushes = self._flushes, []
        free = self._free_slots() if group is not None else 0
        orders = await self._port.exchange(Exchange(self._name, free, tuple(reports), tuple(wants)))
        for flush in flushes:
            if not flush.done():
                flush.set_result(None)
        if group is not None:
            self._obey(orders, group)

    def _obey(self, orders: Orders, group: asyncio.TaskGroup) -> None:
        for seat in orders.seats:
            self._runs[seat.seat_id] = seat.run_id
            group.create_task(self._carry(seat))
        for assignment in orders.assignments:
            future = self._waiting.pop(assignment.seat_id, None)
            if future is not None and not future.done():
                future.set_result(assignment)
        for run_id in orders.cancelled_runs:
            self.cancel_run(run_id, "the run was cancelled")
        for seat_id in orders.stale_seats:
            if seat_id in self._sessions:
                self._sessions[seat_id].cancel("the controller has given its work to somebody else")

    async def _carry(self, seat: Seat) -> None:
        def report(event: Report) -> None:
            self._outbox.append((seat.run_id, event))
            self._news.set()

        def want(action: WantJob) -> asyncio.Future[Assignment]:
            future = self._waiting[seat.seat_id] = asyncio.get_running_loop().create_future()
            self._wants.append(JobWanted(seat.seat_id, seat.fence, action.suite, action.task))
            self._news.set()
            return future

        def recorded() -> asyncio.Future[None]:
            flush = asyncio.get_running_loop().create_future()
            self._flushes.append(flush)
            self._news.set()
            return flush

        supply = MachineSupply(
            seat,
            backend_of=self._backend_of,
            archive=lambda: self._archive_of(seat.run_id),
            report=report,
            recorded=recorded,
            kept=self._kept,
            password=self._password,
        )
        session: Session | Visit
        if seat.options.visit is not None:
            session = Visit(seat, supply, report=report, desk=self._desk)
        else:
            session = Session(seat, supply, want=want, report=report, artifacts=self._artifacts, desk=self._desk)
        self._sessions[seat.seat_id] = session
        try:
            await session.run()
        finally:
            del self._sessions[seat.seat_id], self._runs[seat.seat_id]
            self._waiting.pop(seat.seat_id, None)
