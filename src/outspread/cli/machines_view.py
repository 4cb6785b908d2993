"""The machines that there are, as ``outspread machines`` prints them."""

from collections.abc import Iterator, Sequence
from enum import StrEnum

from msgspec import Struct

from outspread.cli.columns import moment, table
from outspread.cli.job_lines import hold_text, short_id
from outspread.cli.machines_to_discard import is_over, recorded
from outspread.controller.values import MachineEntry, MachineState
from outspread.machines.contract import Machine


class Use(StrEnum):
    """What a machine is there for."""

    IN_USE = "in use"  # a run, or somebody's shell, has it
    KEPT = "kept"  # to be used again
    HELD = "held"  # for people to look at
    LEFT = "left behind"  # nobody has it any more
    UNKNOWN = "unknown"  # the record does not know it


class MachineLine(Struct, frozen=True):
    """One machine. Times are seconds since the epoch; 0: none."""

    machine_id: str
    backend: str
    system: str
    label: str
    address: str
    use: Use
    run_id: str = ""
    owner: str = ""
    project: str = ""  # its directory
    since: float = 0.0
    held_until: float = 0.0
    hold_reason: str = ""


def described(entries: Sequence[MachineEntry], unknown: Sequence[Machine], *, now: float) -> list[MachineLine]:
    """Return the machines of the record, and those that only backends know of."""
    known = [_of_record(entry, now) for entry in entries]
    return known + [
        MachineLine(machine.machine_id, machine.backend, machine.system, machine.label, machine.address, Use.UNKNOWN)
        for machine in unknown
    ]


def machine_lines(machines: Sequence[MachineLine], *, now: float) -> Iterator[str]:
    """Yield a table, and what can be done about those that nobody has any more."""
    rows = [("machine", "system", "address", "state", "held by", "since", "")]
    for machine in machines:
        holder = f"{machine.owner}, run {short_id(machine.run_id)}" if machine.owner else ""
        why = hold_text(now, machine.held_until, machine.hold_reason) if machine.held_until else ""
        since = moment(machine.since) if machine.since else ""
        name = machine.label if machine.label != machine.address else ""
        system = f"{machine.backend}:{machine.system}"
        rows.append((name or short_id(machine.machine_id), system, machine.address, machine.use, holder, since, why))
    yield from table(rows)
    if any(machine.use is Use.LEFT for machine in machines):
        yield "to give back what was left behind: outspread discard --orphans"


def _of_record(entry: MachineEntry, now: float) -> MachineLine:
    machine = recorded(entry).machine
    return MachineLine(
        machine_id=entry.machine_id,
        backend=entry.backend,
        system=entry.system,
        label=machine.label,
        address=entry.address,
        use=_use(entry, now),
        run_id=entry.run_id,
        owner=entry.owner,
        project=entry.root,
        since=entry.requested_at,
        held_until=entry.held_until,
        hold_reason=entry.hold_reason,
    )


def _use(entry: MachineEntry, now: float) -> Use:
    if entry.held_until:
        return Use.LEFT if is_over(entry, now) else Use.HELD
    if entry.run_alive:
        return Use.IN_USE
    return Use.KEPT if entry.state is MachineState.KEPT else Use.LEFT
