"""Which machines ``discard`` is about: chosen among those of the record. Pure."""

from collections.abc import Collection, Iterable, Sequence

import msgspec

from outspread.controller.values import MachineEntry, MachineState
from outspread.errors import UserError
from outspread.machines.contract import Machine


class Discardable(msgspec.Struct, frozen=True):
    """A machine to be given back, and the run that the record has it under ("": it has not)."""

    machine: Machine
    run_id: str = ""
    root: str = ""  # of that run's project


def recorded(entry: MachineEntry) -> Discardable:
    """Return the machine of an entry of the record."""
    if entry.record:
        machine = msgspec.json.decode(entry.record, type=Machine)
    else:
        machine = Machine(entry.machine_id, entry.backend, entry.backend_type, entry.system, address=entry.address)
    return Discardable(machine, entry.run_id, entry.root)


def of_run(entries: Iterable[MachineEntry], beginning: str) -> list[Discardable]:
    """Return what is left of the run whose id begins so. Raises UserError when it is still going."""
    found = [entry for entry in entries if beginning and entry.run_id.startswith(beginning)]
    runs = sorted({entry.run_id for entry in found})
    if len(runs) > 1:
        raise UserError(f"cannot discard the machines of run {beginning}: several begin with this: {', '.join(runs[:10])}")
    if any(entry.run_alive for entry in found):
        raise UserError(f"cannot discard the machines of run {beginning}: it is still going", hint="stop it first")
    return [recorded(entry) for entry in found]


def orphans(entries: Sequence[MachineEntry], existing: Sequence[Machine], *, now: float, root: str = "") -> list[Discardable]:
    """Return the machines that nobody gave back because their run's process died; of one project if named.

    ``existing`` are those that backends know of: they know them better than the record does. Machines that were kept on
    purpose are none until their hold is over, and neither is what the record does not know, for its run may be alive elsewhere.
    """
    better = {machine.machine_id: machine for machine in existing}
    found: list[Discardable] = []
    for entry in entries:
        is_kept = entry.state is MachineState.KEPT and not is_over(entry, now)
        if entry.run_alive or is_kept or (root and entry.root != root):
            continue
        known = recorded(entry)
        found.append(msgspec.structs.replace(known, machine=better.get(entry.machine_id, known.machine)))
    return found


def is_over(entry: MachineEntry, now: float) -> bool:
    """Tell whether a machine was held for a time that has passed."""
    return 0 < entry.held_until <= now


def named(entries: Iterable[MachineEntry], name: str) -> MachineEntry:
    """Return the machine of this label or address, or whose id begins so. UserError when there is none, or several."""
    found = [
        entry
        for entry in entries
        if name in (entry.address, recorded(entry).machine.label) or (name and entry.machine_id.startswith(name))
    ]
    if not found:
        raise UserError(f"cannot find the machine {name}: the record has none of this name", hint="see outspread machines")
    if len(found) > 1:
        ids = ", ".join(entry.machine_id for entry in found[:10])
        raise UserError(f"cannot tell which machine is meant by {name}: there are {len(found)}", hint=f"their ids are {ids}")
    return found[0]


def unknown(entries: Iterable[MachineEntry], existing: Iterable[Machine]) -> list[Machine]:
    """Return the machines that backends know of and the record does not."""
    known = {entry.machine_id for entry in entries}
    return [machine for machine in existing if machine.machine_id not in known]


def under_their_runs(noted: Iterable[Machine], entries: Iterable[MachineEntry]) -> list[Discardable]:
    """Return the machines that a reuse file names, under the runs that the record has them under."""
    runs = {entry.machine_id: entry.run_id for entry in entries}
    return [Discardable(machine, runs.get(machine.machine_id, "")) for machine in noted]


def kept_for(root: str, entries: Iterable[MachineEntry], noted: Iterable[Machine]) -> list[Discardable]:
    """Return the machines that the record has as kept for the project at ``root`` and that are not ``noted`` in its file."""
    listed = {machine.machine_id for machine in noted}
    return [
        recorded(entry)
        for entry in entries
        if entry.root == root and entry.state is MachineState.KEPT and not entry.run_alive and entry.machine_id not in listed
    ]


def of_systems(found: Iterable[Discardable], systems: Collection[tuple[str, str]] | None) -> list[Discardable]:
    """Return those of these ``(backend, system)``; None: all."""
    return [one for one in found if systems is None or (one.machine.backend, one.machine.system) in systems]
