"""Get a machine for a session, ready to run scripts, and give it back: each step recorded before it is taken."""

import asyncio
import secrets
import time
import uuid
from collections.abc import Awaitable, Callable
from typing import IO

import msgspec

from outspread.controller.values import (
    ContentSent,
    MachineAllocated,
    MachineConnected,
    MachineDiscarding,
    MachineFailed,
    MachineGone,
    MachineProgress,
    MachineRequested,
    Report,
    Seat,
)
from outspread.errors import InfrastructureError, OutspreadError, UserError
from outspread.machines.contract import Machine, MachineBackend, MachineRequest, Shell

ALLOCATE_FOR_S = 300.0  # how long an allocation that may succeed is tried again
ALLOCATE_PAUSE_S = 5.0
_SESSION_PASSWORD_BYTES = 8
_UNUSABLE_MACHINES = 3  # machines given up because the project could not be sent to them
_DISCARD_WITHIN_S = 120.0


class MachineSupply:
    """One session's machine. ``release`` may be called at any time, and always is at the end."""

    def __init__(
        self,
        seat: Seat,
        *,
        backend_of: Callable[[str], MachineBackend],
        archive: Callable[[], IO[bytes]],
        report: Callable[[Report], None],
        recorded: Callable[[], Awaitable[None]],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._seat = seat
        self._backend_of = backend_of
        self._archive = archive
        self._report = report
        self._recorded = recorded  # all that was reported so far
        self._sleep = sleep
        self._machine: Machine | None = None
        self._shell: Shell | None = None
        self._returning: asyncio.Task[None] | None = None

    @property
    def machine(self) -> Machine:
        assert self._machine is not None
        return self._machine

    async def acquire(self) -> Shell:
        """Return the way into a machine of the seat's system that has the project's content.

        Raises what the backend raised when none is to be had.
        """
        for left in reversed(range(_UNUSABLE_MACHINES)):
            machine = await self._allocate()
            try:
                backend = self._backend_of(machine.backend_type)
                self._report(MachineProgress(time.time(), machine.backend, machine.system, f"Connecting to {machine}..."))
                self._shell = await backend.connect(machine)
                self._report(MachineConnected(time.time(), machine.machine_id, str(machine), machine.address))
                self._report(ContentSent(time.time(), machine.machine_id, str(machine)))
                with self._archive() as archive:
                    await self._shell.send_tree(archive, self._seat.project.path)
            except (InfrastructureError, UserError) as error:
                await self.release()
                self._failed(machine.machine_id, error, final=not left)
                if not left:
                    raise
            else:
                return self._shell
        raise AssertionError("unreachable")

    async def release(self) -> None:
        """Give the machine back, if there is one; errors are reported, not raised. Bounded in time.

        Once begun it goes on whoever stops waiting for it; called again, it waits for the same end.
        """
        if self._machine is not None and self._returning is None:
            self._returning = asyncio.create_task(self._give_back(self._machine, self._shell))
        if self._returning is not None:
            await asyncio.shield(self._returning)

    async def _give_back(self, machine: Machine, shell: Shell | None) -> None:
        self._report(MachineDiscarding(time.time(), machine.machine_id, str(machine)))
        try:
            async with asyncio.timeout(_DISCARD_WITHIN_S):
                if shell is not None:
                    await shell.close()
                await self._backend_of(machine.backend_type).discard(machine)
        except (OutspreadError, TimeoutError) as error:
            reason = str(error) or f"not answered within {_DISCARD_WITHIN_S:.0f} s"
            self._failed(machine.machine_id, InfrastructureError(f"cannot discard {machine}: {reason}"), final=True)
        else:
            self._report(MachineGone(time.time(), machine.machine_id, str(machine)))
        self._machine = self._shell = self._returning = None

    async def _allocate(self) -> Machine:
        seat = self._seat
        settings = seat.project.backends[seat.backend]
        system = settings.systems[seat.system]
        backend = self._backend_of(settings.type)
        deadline = time.monotonic() + ALLOCATE_FOR_S
        while True:
            machine_id = uuid.uuid4().hex
            password = system.password or secrets.token_hex(_SESSION_PASSWORD_BYTES)
            request = MachineRequest(
                machine_id, seat.run_id, seat.project.name, seat.project.root, backend=settings, system=system, password=password
            )
            self._report(MachineRequested(time.time(), machine_id, seat.backend, seat.system, seat.run_id, settings.type))
            await self._recorded()
            try:
                machine = self._machine = await backend.allocate(request, self._progress)
            except (InfrastructureError, UserError) as error:
                again = isinstance(error, InfrastructureError) and error.retry and time.monotonic() < deadline
                self._failed(machine_id, error, final=not again)
                if not again:
                    raise
                await self._sleep(ALLOCATE_PAUSE_S)
            else:
                record = msgspec.json.encode(msgspec.structs.replace(machine, password="")).decode()
                self._report(MachineAllocated(time.time(), machine_id, str(machine), machine.address, machine.label, record))
                return machine

    def _progress(self, text: str) -> None:
        self._report(MachineProgress(time.time(), self._seat.backend, self._seat.system, text))

    def _failed(self, machine_id: str, error: OutspreadError, *, final: bool) -> None:
        text = f"{error} ({error.hint})" if error.hint else str(error)
        self._report(MachineFailed(time.time(), machine_id, self._seat.backend, self._seat.system, text, final))
