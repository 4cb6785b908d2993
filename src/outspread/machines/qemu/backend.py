"""The ``qemu`` backend: a machine is a QEMU process of this host, which lives on until it is discarded."""

import contextlib
import functools
import os
import platform
import socket
from collections.abc import Sequence
from pathlib import Path

from msgspec import structs

from outspread.errors import ConnectionLostError, InfrastructureError, NotReadyError, OutspreadError
from outspread.machines.contract import Machine, MachineRequest, ProgressSink, Shell
from outspread.machines.qemu.acceleration import choose_accelerator
from outspread.machines.qemu.architectures import architecture_of_host
from outspread.machines.qemu.command_line import Disk, kind_part
from outspread.machines.qemu.control import Control
from outspread.machines.qemu.copies import make_its_own
from outspread.machines.qemu.greeting import greeted
from outspread.machines.qemu.guest import Accelerator, Guest, guest_of
from outspread.machines.qemu.images import Places
from outspread.machines.qemu.machine_directory import MachineDirectory, remove_old_directories
from outspread.machines.qemu.processes import QemuProcess, end_process, our_processes, process_of, qemu_process
from outspread.machines.qemu.saved_states import SavedState, digest_of, make_overlay, making
from outspread.machines.qemu.start import Started, started
from outspread.machines.qemu.switches import switches_of
from outspread.machines.ssh.draft import draft_of
from outspread.machines.ssh.early_import import import_soon
from outspread.user_directories import cache_directory, data_directory, state_directory

_HOST = "127.0.0.1"
_ONE_TRY_S = 10.0
_BOOTS_WITHIN_S = 300.0  # when its state is to be saved, unless the project says


class QemuBackend:
    """Machines emulated on this host. What they are made of and what is kept of them is in this user's directories."""

    machines_live_on = True

    def __init__(self) -> None:
        home = Path.home()
        self._machines = state_directory(os.environ, home) / "qemu"
        self._cache = cache_directory(os.environ, home) / "qemu"
        self._images = data_directory(os.environ, home) / "qemu"
        self._spreads = home / ".spread" / "qemu"
        self._unseen: set[str] = set()  # machines that we got and nobody has logged in to yet
        self._own: set[str] = set()  # copies that have been made machines of their own

    def draft(self, request: MachineRequest) -> Machine:
        """Return who may log in; its QEMU is found by the id."""
        return draft_of(request)

    async def allocate(self, request: MachineRequest, progress: ProgressSink) -> Machine:
        """Start a machine; it boots yet when this returns, unless it goes on from a saved state."""
        switches = switches_of(os.environ)
        host = architecture_of_host(platform.machine())
        places = Places(project=Path(request.root), ours=self._images, spreads=self._spreads)
        guest = guest_of(request, switches, places, host.name)
        accelerator = await choose_accelerator(guest.architecture, host, asked=switches.kvm, cache=self._cache)
        directory = MachineDirectory(self._machines / request.machine_id)
        remove_old_directories(self._machines, {process.directory for process in our_processes() if process.directory})
        directory.make()
        import_soon()
        machine = self.draft(request)
        try:
            directory.write_record(machine)
            if request.system.saved_state:
                machine = await self._copy(machine, directory, guest, accelerator, request, progress)
            else:
                async with started(machine.machine_id, directory, guest, accelerator, Disk(guest.image)) as running:
                    machine = _running(machine, running)
                    directory.write_record(machine)
        except OutspreadError:
            directory.remove(but_logs=True)
            raise
        except BaseException:
            directory.remove()
            raise
        self._unseen.add(machine.machine_id)
        name = f"{machine.backend}:{machine.system}"
        progress(f"Serial and monitor for {name} available at {directory.serial} and {directory.monitor}.")
        progress(f"Waiting for {name} to make SSH available at {machine.address}...")
        return machine

    async def _copy(
        self,
        machine: Machine,
        directory: MachineDirectory,
        guest: Guest,
        accelerator: Accelerator,
        request: MachineRequest,
        progress: ProgressSink,
    ) -> Machine:
        """Start a machine from the saved state of its kind, which is made if it is not there."""
        arguments = [*kind_part(guest, accelerator), guest.drive]
        host = _processor() if accelerator is Accelerator.KVM else ""
        digest = digest_of(arguments, guest.image, guest.firmware, host=host)
        patience_s = request.system.timeouts.wait_s or request.backend.timeouts.wait_s or _BOOTS_WITHIN_S
        async with making(self._cache / "states", digest) as (state, unfinished):
            if unfinished is not None:
                progress(f"Booting {machine.backend}:{machine.system} once, to save its state...")
                await _make_state(unfinished, machine.machine_id, directory, guest, accelerator, patience_s)
        disk = Disk(state.disk)
        async with started(machine.machine_id, directory, guest, accelerator, disk, *state.loading, is_copy=True) as running:
            await running.control.loaded()
            machine = _running(machine, running, {"copy": "yes"})
            directory.write_record(machine)
        return machine

    async def connect(self, machine: Machine) -> Shell:
        """Log in over SSH, when the machine greets within seconds."""
        from outspread.machines.qemu.login import log_in  # late: see early_import

        try:
            shell = await log_in(machine, functools.partial(self._dial, machine))
        except NotReadyError:
            raise
        except ConnectionLostError as error:
            if _process(machine) is None:
                raise
            raise NotReadyError(error.message, hint=error.hint) from error
        if "copy" in machine.data and machine.machine_id not in self._own:
            try:
                await make_its_own(shell, machine)
            except BaseException:
                await shell.close()
                raise
            self._own.add(machine.machine_id)
        self._unseen.discard(machine.machine_id)
        return shell

    async def _dial(self, machine: Machine) -> socket.socket:
        """Return a connection on which the machine greets."""
        if _process(machine) is None:
            raise self._ended(machine)
        directory = self._directory(machine)
        port = int(machine.address.rpartition(":")[2])
        try:
            control = await Control.open(directory.control)
        except InfrastructureError:  # it is one of Spread's, which let nobody in
            connected = await greeted(port, _ONE_TRY_S, _never)
        else:
            with contextlib.closing(control):
                connected = await self._greeted(machine, port, control)
        if connected is None:
            said = directory.what_it_said()
            raise NotReadyError(f"cannot connect to {machine}: no SSH server greets at {machine.address}{said}")
        return connected

    async def _greeted(self, machine: Machine, port: int, control: Control) -> socket.socket | None:
        try:
            async with control.packets(self._directory(machine).packets) as packets:
                connected = await greeted(port, _ONE_TRY_S, packets.has_spoken)
            paused = connected is None and await control.is_paused()
        except InfrastructureError as error:
            raise self._ended(machine) from error
        if paused:
            raise ConnectionLostError(
                f"cannot connect to {machine}: QEMU has stopped it{self._directory(machine).what_it_said()}",
                hint="SPREAD_QEMU_KVM=0 has it emulated in software",
            )
        return connected

    def _ended(self, machine: Machine) -> ConnectionLostError:
        said = self._directory(machine).what_it_said()
        return ConnectionLostError(f"cannot connect to {machine}: its QEMU has ended{said}")

    async def discard(self, machine: Machine) -> None:
        """End the machine's QEMU and remove what is left of it, but for its log if it failed."""
        process = _process(machine)
        directory = self._directory(machine)
        if process is not None and process.directory is not None:  # it may have been got with another state directory
            directory = MachineDirectory(process.directory)
        failed = process is None or machine.machine_id in self._unseen or directory.has_panic()
        if process is not None:
            await end_process(process)
        self._unseen.discard(machine.machine_id)
        directory.remove(but_logs=failed)

    async def existing(self) -> Sequence[Machine]:
        """Return the machines whose QEMU runs as this user, got with the same state directory: others have another record."""
        directories = [process.directory for process in our_processes() if process.directory is not None]
        found = [MachineDirectory(one).record() for one in directories if one.parent == self._machines]
        return [machine for machine in found if machine is not None]

    def _directory(self, machine: Machine) -> MachineDirectory:
        return MachineDirectory(self._machines / machine.machine_id)


async def _make_state(
    state: SavedState, machine_id: str, directory: MachineDirectory, guest: Guest, accelerator: Accelerator, patience_s: float
) -> None:
    """Boot a machine until it greets, save its memory, and leave its disk as it is then."""
    await make_overlay(state.disk.path, guest.image)
    disk = Disk(state.disk, keeps_changes=True)
    async with started(machine_id, directory, guest, accelerator, disk, is_copy=True) as booting:
        async with booting.control.packets(directory.packets) as packets:
            connected = await greeted(booting.port, patience_s, packets.has_spoken)
        if connected is None:
            raise InfrastructureError(f"cannot save the state of the machine: no SSH server greets within {patience_s:g} s")
        connected.close()
        await booting.control.save(state.saving())
        await end_process(booting.process)


def _running(machine: Machine, running: Started, notes: dict[str, str] | None = None) -> Machine:
    data = {"pid": str(running.process.pid), **(notes or {})}  # the pid is what Spread knows a machine by
    return structs.replace(machine, address=f"{_HOST}:{running.port}", label=f"{_HOST}:{running.port}", data=data)


def _process(machine: Machine) -> QemuProcess | None:
    """Return the machine's QEMU: ours by its mark, one of Spread's by its number if it has the machine's port."""
    if (ours := process_of(machine.machine_id)) is not None:
        return ours
    pid, port = machine.data.get("pid", ""), machine.address.rpartition(":")[2]
    spreads = qemu_process(int(pid)) if pid.isdigit() else None
    if spreads is None or spreads.machine_id or not port.isdigit():
        return None
    return spreads if any(f"hostfwd=tcp:{_HOST}:{port}-:22" in argument for argument in spreads.arguments) else None


def _processor() -> str:
    """Return what this host's processors are: a state saved on one kind fits no other."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = ("model name", "flags", "Features", "CPU part")
    facts = [line for line in lines if line.split("\t")[0].strip() in names]
    return "\n".join([platform.release(), *dict.fromkeys(facts)])


def _never() -> bool:
    return False
