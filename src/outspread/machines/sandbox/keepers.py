"""The keepers that run on this host, as their command lines describe them; whoever started them."""

import os
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from outspread.machines.contract import Machine
from outspread.machines.process_identity import start_time

MODULE = "outspread.machines.sandbox.keeper"


class KeeperOptions(Struct, frozen=True):
    """All that a keeper is told when it starts; the machine's names come back from it through ``live_machines``."""

    machine_id: str
    backend: str
    system: str
    hostname: str
    image: str  # absolute; "/" is the host's own root
    disk: str  # a size as tmpfs takes it
    memory: int  # bytes
    pids: int

    def arguments(self) -> list[str]:
        return [f"{name}={getattr(self, name)}" for name in self.__struct_fields__]


def machine_of(pid: int, options: Mapping[str, str]) -> Machine:
    """Return the machine that keeper ``pid`` keeps."""
    return Machine(
        machine_id=options["machine_id"],
        backend=options["backend"],
        backend_type="sandbox",
        system=options["system"],
        label=options["hostname"],
        address="localhost",  # it shares this host's network
        username="root",
        data={"keeper": str(pid), "started": str(start_time(pid))},
    )


def live_machines() -> list[Machine]:
    """Return the machines whose keepers run as this user."""
    found = []
    for pid in (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()):
        options = _keeper_options(pid)
        if options and _is_keeper_of(pid, os.getuid()):
            found.append(machine_of(pid, options))
    return found


def _keeper_options(pid: int) -> dict[str, str]:
    """Return what a keeper was told; nothing for any other process."""
    try:
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:  # it ended meanwhile
        return {}
    if MODULE.encode() not in arguments:
        return {}
    told = [os.fsdecode(argument) for argument in arguments[arguments.index(MODULE.encode()) + 1 :]]
    options = dict(argument.split("=", 1) for argument in told if "=" in argument)
    return options if {"machine_id", "backend", "system", "hostname"} <= options.keys() else {}


def _is_keeper_of(pid: int, uid: int) -> bool:
    """Return whether a process with a keeper's command line is one: its children, inside the sandbox, show the same."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:  # it ended meanwhile
        return False
    facts = dict(line.split(":", 1) for line in status.splitlines())
    # not by the owner of its /proc entry, who is root once it is in a user namespace
    leads_session = facts["NSpid"].split() == facts["NSsid"].split() == [str(pid)]
    return leads_session and int(facts["Uid"].split()[0]) == uid and facts["State"].split()[0] not in "ZX"
