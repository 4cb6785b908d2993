"""Start the QEMU of a machine, and take away whatever of it there is if that fails."""

import asyncio
import contextlib
import os
import uuid
from collections.abc import AsyncIterator
from typing import NamedTuple

from outspread.errors import InfrastructureError
from outspread.machines.helper_process import start_apart, wait_for_end
from outspread.machines.process_identity import start_time
from outspread.machines.qemu.command_line import Disk, OwnPart, command_line
from outspread.machines.qemu.control import Control
from outspread.machines.qemu.guest import Accelerator, Guest
from outspread.machines.qemu.machine_directory import MachineDirectory
from outspread.machines.qemu.near_socket import listen_near
from outspread.machines.qemu.processes import QemuProcess, end_process

_collecting: set[asyncio.Future[int]] = set()  # our children, until they are collected


class Started(NamedTuple):
    """A QEMU that answers, and the port of this host that leads to its machine."""

    process: QemuProcess
    control: Control
    port: int


@contextlib.asynccontextmanager
async def started(
    machine_id: str,
    directory: MachineDirectory,
    guest: Guest,
    accelerator: Accelerator,
    disk: Disk,
    *more: str,
    is_copy: bool = False,
) -> AsyncIterator[Started]:
    """Start QEMU with a machine and give it while one wants to talk to it; it ends if that ends with an error.

    ``is_copy``: whether the machine is, or becomes, one of several that go on from the same state.
    """
    process = _start(machine_id, directory, guest, accelerator, disk, more, is_copy=is_copy)
    collecting = asyncio.ensure_future(wait_for_end(process.pid))
    _collecting.add(collecting)
    collecting.add_done_callback(_collecting.discard)
    try:
        control = await Control.open(directory.control)
        try:
            yield Started(process, control, await control.forwarded_port())
        finally:
            control.close()
    except InfrastructureError as error:
        await asyncio.shield(end_process(process))
        raise InfrastructureError(f"{error.message}{directory.what_it_said()}", hint=error.hint, retry=error.retry) from error
    except BaseException:
        await asyncio.shield(end_process(process))
        raise


def _start(
    machine_id: str,
    directory: MachineDirectory,
    guest: Guest,
    accelerator: Accelerator,
    disk: Disk,
    more: tuple[str, ...],
    *,
    is_copy: bool,
) -> QemuProcess:
    directory.take_sockets_away()
    with contextlib.ExitStack() as stack:
        try:
            serial, monitor, control = (
                stack.enter_context(listen_near(path)).fileno()
                for path in (directory.serial, directory.monitor, directory.control)
            )
            output = stack.enter_context(directory.output.open("ab")).fileno()
            nothing = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
            stack.callback(os.close, nothing)
            generation_id = str(uuid.uuid4()) if is_copy else ""
            own = OwnPart(machine_id, directory.path, serial, monitor, control, generation_id)
            argv = command_line(guest, accelerator, disk, own, *more)
            pid = start_apart(argv, stdin=nothing, output=output, kept=(serial, monitor, control), environment=os.environ)
        except OSError as error:
            raise InfrastructureError(f"cannot start {guest.architecture.program}: {error.strerror}") from error
    return QemuProcess(pid, start_time(pid), tuple(argv), machine_id, directory.path)
