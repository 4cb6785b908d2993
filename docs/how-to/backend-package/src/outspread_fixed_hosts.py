"""The backend ``fixed-hosts``: hosts that are always there, one run at a time on each.

In spread.yaml::

    backends:
      lab:
        type: fixed-hosts
        options:
          hosts: /etc/lab-hosts            # lines of "SYSTEM ADDRESS"
          clean: rm -rf /srv/project       # run there before others may have the host
        systems:
          - debian-12

A host is taken by a file named after its address, in ``OUTSPREAD_FIXED_HOSTS`` or ``~/.local/state/outspread-fixed-hosts``.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from outspread.errors import ConnectionLostError, InfrastructureError, NotReadyError, UserError
from outspread.machines.contract import Machine, MachineRequest, ProgressSink, Shell
from outspread.machines.ssh.address import parse_address
from outspread.machines.ssh.shell import open_ssh_shell
from outspread.machines.ssh.target import SshTarget

_CLEAN_WITHIN_S = 60.0


class FixedHosts:
    """Implements ``outspread.machines.contract.MachineBackend``."""

    machines_live_on = True  # a host stays taken when the run is killed, until somebody discards it

    def draft(self, request: MachineRequest) -> Machine:
        """Return all but the address. What is in here is recorded before ``allocate`` is called."""
        return Machine(
            machine_id=request.machine_id,
            backend=request.backend.name,
            backend_type=request.backend.type,
            system=request.system.name,
            username=request.system.username or "root",
            password=request.password,
            data=dict(request.backend.options),
        )

    async def allocate(self, request: MachineRequest, progress: ProgressSink) -> Machine:
        """Take the first host of the system that nobody has."""
        draft = self.draft(request)
        for address in _hosts_of(draft):
            machine = msgspec.structs.replace(draft, address=address, label=address)
            if _take(machine):
                return machine
        raise InfrastructureError(f"every host of {draft.backend}:{draft.system} is taken")  # so it is asked for again

    async def connect(self, machine: Machine) -> Shell:
        """Log in with the user's own keys, to the host that the user knows."""
        host, port = parse_address(machine.address)
        target = SshTarget(
            host,
            port,
            username=machine.username,
            password=machine.password,
            uses_agent=not machine.password,
            known_hosts="~/.ssh/known_hosts",
        )
        try:
            return await open_ssh_shell(target)
        except ConnectionLostError as error:
            raise NotReadyError(error.message, hint=error.hint) from error

    async def discard(self, machine: Machine) -> None:
        """Clean the host and let others have it. Nothing happens when it is not ours (any more)."""
        for taken, known in _taken():
            if known.machine_id == machine.machine_id:
                await self._clean(machine)
                taken.unlink(missing_ok=True)

    async def _clean(self, machine: Machine) -> None:
        script = machine.data.get("clean", "")
        if not (script and machine.address):
            return
        said = bytearray()
        shell = await self.connect(machine)
        try:
            end = await shell.run(script.encode(), output=said.extend, kill_after_s=_CLEAN_WITHIN_S)
        finally:
            await shell.close()
        if not end.passed:
            raise InfrastructureError(f"cannot clean {machine.address}: {said.decode(errors='replace')}")

    async def existing(self) -> Sequence[Machine]:
        """Return the hosts that are taken."""
        return [machine for _, machine in _taken()]


def _hosts_of(machine: Machine) -> list[str]:
    file = machine.data.get("hosts", "")
    try:
        lines = [line.split() for line in Path(file).read_text().splitlines() if line.strip()]
    except OSError as error:
        raise UserError(f"cannot read the hosts of {machine.backend}, {file!r}: {error.strerror}", hint="see options") from error
    return [words[1] for words in lines if words[0] == machine.system and len(words) == 2]


def _directory() -> Path:
    directory = Path(os.environ.get("OUTSPREAD_FIXED_HOSTS") or "~/.local/state/outspread-fixed-hosts").expanduser()
    directory.mkdir(parents=True, exist_ok=True)
    return directory


def _take(machine: Machine) -> bool:
    note = _directory() / f".{machine.machine_id}"
    note.write_bytes(msgspec.json.encode(machine.without_secrets()))
    try:
        os.link(note, _directory() / machine.address)  # whole at once, and only for the first one
    except FileExistsError:
        return False
    finally:
        note.unlink()
    return True


def _taken() -> Iterator[tuple[Path, Machine]]:
    for path in sorted(_directory().glob("[!.]*")):
        try:
            yield path, msgspec.json.decode(path.read_bytes(), type=Machine)
        except FileNotFoundError:
            continue  # given back at this moment
