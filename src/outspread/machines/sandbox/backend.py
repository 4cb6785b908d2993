"""The ``sandbox`` backend: machines out of nothing but this host, in about a tenth of a second.

A sandbox belongs to the process that allocated it and ends with it, however that process ends.
"""

import asyncio
import contextlib
import os
import re
import signal
import socket
from collections.abc import Sequence
from pathlib import Path

from outspread.errors import ConnectionLostError, InfrastructureError, UserError
from outspread.machines.agent_connection import AgentConnection
from outspread.machines.agent_shell import AgentShell
from outspread.machines.contract import Machine, MachineRequest, ProgressSink
from outspread.machines.helper_process import start_helper, wait_for_end
from outspread.machines.process_identity import is_alive
from outspread.machines.sandbox import keepers

#: The system that is this host, whatever it runs.
THIS_HOST = "this-host"

_READY_WITHIN_S = 60.0
_DISCARD_WITHIN_S = 30.0
_MESSAGE_BYTES = 4096
_MOST_PROCESSES = 4096
_PROGRAM_PLACES = ("bin", "usr/bin", "sbin", "usr/sbin", "usr/local/bin", "usr/local/sbin")
_ALL_IDS = 2**32 - 1


class _Sandbox:
    """A sandbox that this process allocated."""

    def __init__(self, pid: int, control: socket.socket, connection: AgentConnection, progress: ProgressSink) -> None:
        self.pid = pid
        self.connection = connection
        self.ended = asyncio.ensure_future(wait_for_end(pid))
        self.machine: Machine | None = None
        self._control = control
        self._progress = progress
        self._loop = asyncio.get_running_loop()
        self._booted = self._loop.create_future()
        control.setblocking(False)
        self._loop.add_reader(control.fileno(), self._hear)

    async def booted(self) -> None:
        """Return when it has booted and its agent serves."""
        await self._booted
        await self.connection.ready()

    async def boot_again(self) -> None:
        self._booted = self._loop.create_future()
        self.connection.expect_ready()
        try:
            self._control.send(b"reboot")
        except OSError as error:
            raise ConnectionLostError("cannot reboot the sandbox: its keeper is gone") from error
        await self.booted()

    def _hear(self) -> None:
        try:
            message = self._control.recv(_MESSAGE_BYTES).decode(errors="replace")
        except OSError:
            message = ""
        word, _, text = message.partition(" ")
        if word == "say":
            self._progress(text)
        elif word == "booted":
            self._settle(None)
        elif word == "failed":
            why, _, hint = text.partition("\n")
            self._settle(InfrastructureError(f"cannot make a sandbox: {why}", hint=hint, retry=False))
            self.connection.close(f"it failed: {why}")
        else:
            self._loop.remove_reader(self._control.fileno())
            self._settle(ConnectionLostError("the sandbox ended"))

    def _settle(self, error: Exception | None) -> None:
        if self._booted.done():
            return
        if error is None:
            self._booted.set_result(None)
        else:
            self._booted.set_exception(error)
            self._booted.exception()  # seen: nobody needs to have waited for it

    async def end(self) -> None:
        """Have the keeper remove everything, and return when it has."""
        self._loop.remove_reader(self._control.fileno())
        self._control.close()
        self.connection.close()
        await _within(self.ended, self.pid)


class SandboxShell(AgentShell):
    """The way into a sandbox. Closing it leaves the sandbox alone; it can be connected to again."""

    def __init__(self, sandbox: _Sandbox, name: str, *, keeps_owners: bool) -> None:
        super().__init__(sandbox.connection, name, keeps_owners=keeps_owners)
        self._sandbox = sandbox

    async def reboot(self, *, within_s: float) -> None:
        """End every process, forget /run and /tmp, and boot again on the same disk."""
        try:
            async with asyncio.timeout(within_s):
                await self._sandbox.boot_again()
        except TimeoutError as error:
            raise InfrastructureError(f"cannot reboot {self._machine}: it is not back after {within_s:g} s") from error

    async def close(self) -> None:
        """Do nothing: the stream stays with the sandbox."""


class SandboxBackend:
    """Machines that are throw-away views of this host, or of a root tree that a system names with ``image``."""

    machines_live_on = False

    def __init__(self) -> None:
        self._sandboxes: dict[str, _Sandbox] = {}

    def draft(self, request: MachineRequest) -> Machine:
        """Return the names of a sandbox to be: its keeper is found by them."""
        return Machine(request.machine_id, request.backend.name, request.backend.type, request.system.name)

    async def allocate(self, request: MachineRequest, progress: ProgressSink) -> Machine:
        """Make a sandbox; it is gone again when this raises."""
        options = _options(request)
        sandbox = _start(options, progress)
        try:
            async with asyncio.timeout(_READY_WITHIN_S):
                await sandbox.booted()
        except TimeoutError as error:
            await asyncio.shield(sandbox.end())
            raise InfrastructureError(f"cannot make a sandbox: it did not boot within {_READY_WITHIN_S:g} s") from error
        except BaseException:
            await asyncio.shield(sandbox.end())
            raise
        machine = keepers.machine_of(sandbox.pid, dict(argument.split("=", 1) for argument in options.arguments()))
        self._sandboxes[machine.machine_id] = sandbox
        return machine

    async def connect(self, machine: Machine) -> SandboxShell:
        """Return the way into a sandbox of this process."""
        sandbox = self._sandboxes.get(machine.machine_id)
        if sandbox is None:
            raise ConnectionLostError(f"cannot connect to {machine}: a sandbox can be used by the process that made it only")
        await sandbox.connection.ready()
        try:
            keeps_owners = _keeps_owners(sandbox.pid)
        except OSError as error:
            raise ConnectionLostError(f"cannot connect to {machine}: its keeper is gone") from error
        return SandboxShell(sandbox, str(machine), keeps_owners=keeps_owners)

    async def discard(self, machine: Machine) -> None:
        """Remove a sandbox, whichever process made it."""
        sandbox = self._sandboxes.pop(machine.machine_id, None)
        if sandbox is not None:
            await sandbox.end()
            return
        pid, started = int(machine.data.get("keeper", 0)), int(machine.data.get("started", 0))
        if is_alive(pid, started) and any(found.machine_id == machine.machine_id for found in keepers.live_machines()):
            await _end_keeper(pid, started)

    async def existing(self) -> Sequence[Machine]:
        """Return every live sandbox of this user."""
        return keepers.live_machines()


def host_system_name() -> str:
    """Return the name of the system that this host is, such as ``debian-12``."""
    facts = {}
    for file in (Path("/etc/os-release"), Path("/usr/lib/os-release")):
        with contextlib.suppress(FileNotFoundError):
            lines = file.read_text(errors="replace").splitlines()
            facts = dict(line.split("=", 1) for line in lines if "=" in line)
            break
    facts = {key: value.strip("\"'") for key, value in facts.items()}
    version = facts.get("VERSION_ID") or facts.get("VERSION_CODENAME") or "rolling"
    return f"{facts.get('ID', 'linux')}-{version}"


def _options(request: MachineRequest) -> keepers.KeeperOptions:
    system, backend = request.system, request.backend
    image = system.image if system.image != system.name else ""
    if image:
        tree = Path(request.root, image).resolve()
        if not tree.is_dir():
            raise UserError(
                f"cannot make {backend.name}:{system.name}: its image {image} is not a directory",
                hint="image: names a root tree, relative to the project",
            )
        _check_image(tree, image)
    elif system.name in (THIS_HOST, host_system_name()):
        tree = Path("/")
    else:
        raise UserError(
            f"cannot make {backend.name}:{system.name}: a sandbox is this host, which is {host_system_name()}",
            hint=f"name the system {THIS_HOST} or {host_system_name()}, or give it a root tree with image: DIR",
        )
    memory_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return keepers.KeeperOptions(
        machine_id=request.machine_id,
        backend=backend.name,
        system=system.name,
        hostname=_hostname(request.machine_id),
        image=str(tree),
        disk=str(system.storage_bytes) if system.storage_bytes > 0 else "50%",
        memory=backend.memory_bytes or memory_bytes * 3 // 4,
        pids=_MOST_PROCESSES,
    )


def _check_image(tree: Path, image: str) -> None:
    """Refuse a tree that lacks what every job begins with. A link counts for what it says: it is followed in the sandbox only."""
    bash = (tree / "bin", tree / "usr/bin") if (tree / "bin").is_symlink() else (tree / "bin",)
    everywhere = [tree / place for place in _PROGRAM_PLACES]
    for program, places in (("bin/bash", bash), ("tar", everywhere), ("mkdir", everywhere)):
        if not any(os.path.lexists(place / Path(program).name) for place in places):
            raise UserError(
                f"cannot use image {image}: it has no {program}", hint="image: names a root tree with bash and GNU tar"
            )


def _keeps_owners(keeper: int) -> bool:
    """Return whether files can belong to any user in a sandbox: not where only some users exist, as in a user namespace."""
    maps = [Path(f"/proc/{keeper}/{name}").read_text().split() for name in ("uid_map", "gid_map")]
    return all(sum(map(int, mapped[2::3])) >= _ALL_IDS for mapped in maps)


def _hostname(machine_id: str) -> str:
    return "sandbox-" + (re.sub("[^a-z0-9]", "", machine_id.lower())[-8:] or "0")


def _start(options: keepers.KeeperOptions, progress: ProgressSink) -> _Sandbox:
    stream, their_stream = socket.socketpair()
    control, their_control = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with their_stream, their_control:
        try:
            pid = start_helper(
                keepers.MODULE,
                options.arguments(),
                descriptors=(their_control.fileno(), their_stream.fileno()),
                environment=_keeper_environment(),
            )
        except OSError as error:
            stream.close()
            control.close()
            raise InfrastructureError(f"cannot start a sandbox's keeper: {error.strerror}") from error
    return _Sandbox(pid, control, AgentConnection(stream, f"{options.backend}:{options.system}"), progress)


def _keeper_environment() -> dict[str, str]:
    """Return the least that Python starts with: what runs in the sandbox can read it."""
    kept = {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}
    return {"LC_ALL": "C.UTF-8", **kept}


async def _within(ended: "asyncio.Future[int]", pid: int) -> None:
    try:
        async with asyncio.timeout(_DISCARD_WITHIN_S):
            await asyncio.shield(ended)
    except TimeoutError as error:
        raise InfrastructureError(f"cannot discard a sandbox: its keeper, process {pid}, does not end") from error


async def _end_keeper(pid: int, started: int) -> None:
    """End the keeper of another process, which removes its sandbox."""
    os.kill(pid, signal.SIGTERM)
    try:
        async with asyncio.timeout(_DISCARD_WITHIN_S):
            while is_alive(pid, started):  # noqa: ASYNC110 - not our child: nobody tells us
                await asyncio.sleep(0.005)
    except TimeoutError as error:
        raise InfrastructureError(f"cannot discard a sandbox: its keeper, process {pid}, does not end") from error
