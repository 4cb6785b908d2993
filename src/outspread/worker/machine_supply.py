"""Get a machine for a session, ready to run scripts, and give it back or keep it: each step recorded before it is taken."""

import asyncio
import secrets
import time
import uuid
from collections.abc import Awaitable, Callable, Coroutine
from typing import IO

import msgspec

from outspread.controller.values import (
    ContentKept,
    ContentProgress,
    ContentSent,
    MachineAllocated,
    MachineConnected,
    MachineDiscarding,
    MachineFailed,
    MachineGone,
    MachineKept,
    MachineProgress,
    MachineRequested,
    MachineReused,
    Report,
    Seat,
)
from outspread.errors import InfrastructureError, NotReadyError, OutspreadError, UserError
from outspread.machines.contract import LeftBehindError, Machine, MachineBackend, MachineRequest, Shell
from outspread.machines.reuse.kept_machines import KeptMachines
from outspread.project.timeouts import local_timeouts_for
from outspread.worker.machine_content import has_content, remove_content
from outspread.worker.sending_watch import SendingWatch

ALLOCATE_FOR_S = 300.0  # how long an allocation that may succeed is tried again
ALLOCATE_PAUSE_S = 5.0  # the longest pause between two tries
_FIRST_PAUSE_S = 0.5
CONNECT_FOR_S = 300.0  # how long a new machine may take to answer, unless the project says
CONNECT_PAUSE_S = 0.5
_SESSION_PASSWORD_BYTES = 8
_UNUSABLE_MACHINES = 3  # new machines given up because they could not be used
_DISCARD_WITHIN_S = 120.0  # over what a discard script may take


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
        kept: KeptMachines,
        password: str = "",
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._seat = seat
        self._settings = seat.project.backends[seat.backend]
        self._backend_of = backend_of
        self._archive = archive
        self._report = report
        self._recorded = recorded  # all that was reported so far
        self._kept = kept
        self._password = password
        self._sleep = sleep
        self._machine: Machine | None = None
        self._shell: Shell | None = None
        self._ending: asyncio.Task[None] | None = None

    @property
    def machine(self) -> Machine:
        assert self._machine is not None
        return self._machine

    @property
    def _backend(self) -> MachineBackend:
        return self._backend_of(self._settings.type)

    @property
    def _keeps(self) -> bool:
        return self._kept.keeps and self._backend.machines_live_on

    async def acquire(self) -> Shell:
        """Return the way into a machine of the seat's system that has the project's content.

        Machines of earlier runs that may be used again come first. Raises what the backend raised when none is to be had.
        """
        while self._take_kept():
            try:
                return await self._open(is_new=False)
            except (InfrastructureError, UserError) as error:
                await self._end_unusable(error, final=False, discard=not self._kept.keeps)
        for left in reversed(range(_UNUSABLE_MACHINES)):
            await self._allocate()
            try:
                return await self._open(is_new=True)
            except (InfrastructureError, UserError) as error:
                await self._end_unusable(error, final=not left, discard=True)
                if not left:
                    raise
        raise AssertionError("unreachable")

    async def release(self, *, lost: bool = False, hold: str = "") -> None:
        """Give the machine back or keep it, if there is one; errors are reported, not raised. Bounded in time.

        One that was ``lost``, or is to be held for the reason ``hold``, is kept for people only: no other session gets it. Once
        begun this goes on whoever stops waiting for it; called again, it waits for the same end.
        """
        if self._machine is None:
            return
        if self._keeps or (hold and self._backend.machines_live_on):
            await self._end(self._keep(self._machine, lost=lost, hold=hold))
        else:
            await self._end(self._discard(self._machine))

    # --- getting one ------------------------------------------------------------------------------------------------

    def _take_kept(self) -> bool:
        """Take a machine of an earlier run, if there is one that nobody uses."""
        machine = self._kept.take(self._backend.draft(self._request()))
        if machine is None:
            return False
        self._machine = machine
        reused = MachineReused(
            time.time(), machine.machine_id, str(machine), machine.address, machine.label, _record(machine), self._kept.keeps
        )
        self._report(reused)
        return True

    async def _allocate(self) -> None:
        seat, backend = self._seat, self._backend
        deadline = time.monotonic() + ALLOCATE_FOR_S
        pause_s = _FIRST_PAUSE_S
        while True:
            request = self._request()
            draft = backend.draft(request)
            requested = MachineRequested(
                time.time(), request.machine_id, seat.backend, seat.system, seat.run_id, self._settings.type, _record(draft)
            )
            self._report(requested)
            await self._recorded()
            try:
                self._machine = await backend.allocate(request, self._progress)
                await self._note(draft)
            except LeftBehindError as error:
                self._left_behind(error)
                raise
            except (InfrastructureError, UserError) as error:
                again = isinstance(error, InfrastructureError) and error.retry and time.monotonic() < deadline
                self._failed(request.machine_id, error, final=not again)
                if not again:
                    raise
            except asyncio.CancelledError:  # what had been made was given back
                self._report(MachineGone(time.time(), request.machine_id, str(draft)))
                raise
            else:
                return
            await self._sleep(min(pause_s, ALLOCATE_PAUSE_S))
            pause_s *= 2

    def _left_behind(self, error: LeftBehindError) -> None:
        """Have a machine recorded that is of no use and still there."""
        machine, now = error.machine, time.time()
        name = str(machine)
        self._report(MachineAllocated(now, machine.machine_id, name, machine.address, machine.label, _record(machine)))
        self._report(MachineDiscarding(now, machine.machine_id, name, machine.address))
        self._failed(machine.machine_id, error, final=True)

    async def _note(self, draft: Machine) -> None:
        """Have a machine that was just got written down; one that cannot be is not used."""
        machine = self.machine
        allocated = MachineAllocated(
            time.time(), machine.machine_id, str(machine), machine.address, machine.label, _record(machine), self._keeps
        )
        if not self._backend.machines_live_on:
            self._report(allocated)
            return
        try:
            self._kept.note(machine, draft)
        except UserError:
            self._machine = None  # it is another's
            raise
        except InfrastructureError:
            self._report(allocated)
            await self._end(self._discard(machine))
            raise
        self._report(allocated)

    def _request(self) -> MachineRequest:
        seat = self._seat
        system = self._settings.systems[seat.system]
        warn_s, kill_s = local_timeouts_for(seat.project, seat.backend)
        return MachineRequest(
            uuid.uuid4().hex,
            seat.run_id,
            seat.project.name,
            seat.project.root,
            backend=self._settings,
            system=system,
            password=system.password or self._password or secrets.token_hex(_SESSION_PASSWORD_BYTES),
            warn_after_s=warn_s,
            kill_after_s=kill_s,
        )

    # --- making it ready --------------------------------------------------------------------------------------------

    def _patience_s(self) -> float:
        """Return how long a new machine may take to answer."""
        system = self._settings.systems[self._seat.system]
        return system.timeouts.wait_s or self._settings.timeouts.wait_s or CONNECT_FOR_S

    async def _open(self, *, is_new: bool) -> Shell:
        machine = self.machine
        self._progress(f"Connecting to {machine}...")
        shell = self._shell = await self._connected(machine, self._patience_s() if is_new else 0.0)
        self._report(MachineConnected(time.time(), machine.machine_id, str(machine), machine.address))
        path = self._seat.project.path
        if self._kept.has_content(machine) and not self._kept.resends and await has_content(shell, path):
            self._report(ContentKept(time.time(), machine.machine_id, str(machine)))
            return shell
        if not is_new:
            self._progress(f"Removing project data from {machine} at {path}...")
            await remove_content(shell, path)
        self._report(ContentSent(time.time(), machine.machine_id, str(machine)))
        with self._archive() as archive, SendingWatch(archive, self._sending):
            await shell.send_tree(archive, path)
        self._kept.content_sent(machine)
        return shell

    async def _connected(self, machine: Machine, patience_s: float) -> Shell:
        deadline = time.monotonic() + patience_s
        while True:
            try:
                return await self._backend.connect(machine)
            except NotReadyError:
                if time.monotonic() >= deadline:
                    raise
            await self._sleep(CONNECT_PAUSE_S)

    # --- being done with it -----------------------------------------------------------------------------------------

    async def _end_unusable(self, error: OutspreadError, *, final: bool, discard: bool) -> None:
        machine = self.machine
        await self._end(self._discard(machine) if discard else self._let_go())
        self._failed(machine.machine_id, error, final=final)

    async def _end(self, ending: Coroutine[None, None, None]) -> None:
        """Be done with the machine by ``ending``, or as was begun before; it goes on if this is cancelled."""
        if self._ending is None:
            self._ending = asyncio.create_task(ending)
        else:
            ending.close()
        await asyncio.shield(self._ending)

    async def _discard(self, machine: Machine) -> None:
        self._report(MachineDiscarding(time.time(), machine.machine_id, str(machine), machine.address))
        within_s = _DISCARD_WITHIN_S + local_timeouts_for(self._seat.project, self._seat.backend)[1]
        try:
            async with asyncio.timeout(within_s):
                if self._shell is not None:
                    await self._shell.close()
                await self._backend.discard(machine)
            self._kept.forget(machine)
        except (OutspreadError, TimeoutError) as error:
            reason = str(error) or f"not answered within {within_s:.0f} s"
            self._failed(machine.machine_id, InfrastructureError(f"cannot discard {machine}: {reason}"), final=True)
        else:
            self._report(MachineGone(time.time(), machine.machine_id, str(machine)))
        self._machine = self._shell = self._ending = None

    async def _keep(self, machine: Machine, *, lost: bool, hold: str) -> None:
        await self._let_go()
        now = time.time()
        until = now + self._seat.options.hold_failed_s if hold else 0.0
        self._report(MachineKept(now, machine.machine_id, str(machine), machine.address, hold, until))
        if not (lost or hold):
            self._kept.put_back(machine)

    async def _let_go(self) -> None:
        if self._shell is not None:
            await self._shell.close()
        self._machine = self._shell = self._ending = None

    def _sending(self, sent_bytes: int, total_bytes: int, took_s: float) -> None:
        machine = self.machine
        self._report(ContentProgress(time.time(), machine.machine_id, str(machine), sent_bytes, total_bytes, took_s))

    def _progress(self, text: str) -> None:
        self._report(MachineProgress(time.time(), self._seat.backend, self._seat.system, text))

    def _failed(self, machine_id: str, error: OutspreadError, *, final: bool) -> None:
        text = f"{error} ({error.hint})" if error.hint else str(error)
        self._report(MachineFailed(time.time(), machine_id, self._seat.backend, self._seat.system, text, final))


def _record(machine: Machine) -> str:
    return msgspec.json.encode(machine.without_secrets()).decode()
