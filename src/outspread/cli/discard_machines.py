"""Give machines back that outlived their run: side by side, each told to people and to the record."""

import asyncio
import functools
import time
import uuid
from collections.abc import Callable, Sequence

from outspread.cli.machines_to_discard import Discardable
from outspread.controller.exchange_values import Exchange
from outspread.controller.port import ControllerPort
from outspread.controller.values import (
    MachineDiscarding,
    MachineFailed,
    MachineGone,
    MachineProgress,
    Report,
)
from outspread.errors import OutspreadError, UserError
from outspread.machines.backends import backend_for
from outspread.machines.contract import Machine, MachineRequest
from outspread.machines.reuse.noted_machines import machine_of
from outspread.machines.reuse.reuse_text import ReuseEntry
from outspread.project.model import Project
from outspread.project.timeouts import local_timeouts_for

_AT_ONCE = 32
_NO_ADDRESS = "getting it broke off before it had an address: what there is of it is given back if it can be found by its id"


async def discard_machines(
    found: Sequence[Discardable],
    controller: ControllerPort,
    *,
    done: Callable[[Discardable], None],
    show: Callable[[Report], None],
) -> int:
    """Give back ``found`` and return how many could not be; ``done`` gets each that was, ``show`` what happens to all."""
    backend_of = functools.cache(backend_for)
    some = asyncio.Semaphore(_AT_ONCE)

    async def tell(run_id: str, event: Report) -> None:
        show(event)
        if run_id:
            await controller.exchange(Exchange("discard", 0, reports=((run_id, event),)))

    async def give_back(one: Discardable) -> bool:
        machine = one.machine
        async with some:
            await tell(one.run_id, MachineDiscarding(time.time(), machine.machine_id, str(machine), machine.address))
            try:
                if not machine.backend_type:
                    raise UserError(f"the project has no system {machine.backend}:{machine.system} any more")
                backend = backend_of(machine.backend_type)
                if not machine.address and backend.machines_live_on:
                    show(MachineProgress(time.time(), machine.backend, machine.system, _NO_ADDRESS))
                await backend.discard(machine)
            except OutspreadError as error:
                reason = f"cannot discard {machine}: {error}"
                failed = MachineFailed(time.time(), machine.machine_id, machine.backend, machine.system, reason, final=True)
                await tell(one.run_id, failed)
                return False
            done(one)
            await tell(one.run_id, MachineGone(time.time(), machine.machine_id, str(machine)))
            return True

    given_back = await asyncio.gather(*(give_back(one) for one in found))
    return given_back.count(False)


def noted_machine(entry: ReuseEntry, project: Project) -> Machine:
    """Return the machine of an entry in the project's reuse file, with all that the project says of its system."""
    backend = project.backends.get(entry.backend)
    system = backend.systems.get(entry.system) if backend is not None else None
    if backend is None or system is None:  # it is refused when it is to be discarded: nothing says how
        return machine_of(entry, Machine(uuid.uuid4().hex, entry.backend, "", entry.system))
    warn_s, kill_s = local_timeouts_for(project, entry.backend)
    request = MachineRequest(
        uuid.uuid4().hex,
        "",
        project.name,
        project.root,
        backend=backend,
        system=system,
        password=system.password or entry.password,
        warn_after_s=warn_s,
        kill_after_s=kill_s,
    )
    try:
        return machine_of(entry, backend_for(backend.type).draft(request))
    except OutspreadError:
        return machine_of(entry, Machine(request.machine_id, entry.backend, backend.type, entry.system))
