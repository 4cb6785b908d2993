"""Machines and the entries of a reuse file: each made from the other, and which one a session gets. Pure."""

from collections.abc import Collection, Sequence

from msgspec import structs

from outspread.machines.contract import Machine
from outspread.machines.reuse.reuse_text import Data, ReuseEntry

_MACHINE_ID = "outspread-machine"
_CONTENT = "outspread-content"  # there as long as the content is not
_NOT_SENT = "missing"


def machine_of(entry: ReuseEntry, draft: Machine) -> Machine:
    """Return the machine of an entry; what it does not say is as in ``draft``."""
    data = entry.data or {}
    notes = {name: _text(value) for name, value in data.items() if name not in (_MACHINE_ID, _CONTENT)}
    return structs.replace(
        draft,
        machine_id=machine_id_of(entry) or draft.machine_id,
        label=entry.address,
        address=entry.address,
        username=entry.username or draft.username,
        password=entry.password or draft.password,
        data={**draft.data, **notes},
    )


def entry_of(machine: Machine, draft: Machine) -> ReuseEntry:
    """Return the entry of a machine that was just got, so that its content is yet to be sent."""
    notes: dict[str, Data] = {name: value for name, value in machine.data.items() if draft.data.get(name) != value}
    return ReuseEntry(
        backend=machine.backend,
        system=machine.system,
        address=machine.address,
        username=machine.username,
        password=machine.password,
        data={**notes, _MACHINE_ID: machine.machine_id, _CONTENT: _NOT_SENT},
    )


def machine_id_of(entry: ReuseEntry) -> str:
    """Return the id under which we know the machine; "" when Spread made the entry."""
    return _text((entry.data or {}).get(_MACHINE_ID, ""))


def with_machine_id(entry: ReuseEntry, machine_id: str) -> ReuseEntry:
    """Return the entry with the id under which we know its machine."""
    return structs.replace(entry, data={**(entry.data or {}), _MACHINE_ID: machine_id})


def has_content(entry: ReuseEntry) -> bool:
    """Tell whether all of the content was sent; of Spread's entries that is believed."""
    return _CONTENT not in (entry.data or {})


def with_content(entry: ReuseEntry) -> ReuseEntry:
    """Return the entry of a machine to which all of the content was sent."""
    return structs.replace(entry, data={name: value for name, value in (entry.data or {}).items() if name != _CONTENT})


def free_place(entries: Sequence[ReuseEntry], busy: Collection[str], *, backend: str, system: str) -> int | None:
    """Return where the first machine of a system stands whose address is not ``busy``; None when there is none."""
    for place, entry in enumerate(entries):
        if (entry.backend, entry.system) == (backend, system) and entry.address not in busy:
            return place
    return None


def _text(value: Data) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)
