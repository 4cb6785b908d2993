"""The book of a run's machines: who uses which, and what is noted of them for those who come later. Pure but for ``store``."""

from collections.abc import Callable, Sequence

from outspread.errors import UserError
from outspread.machines.contract import Machine
from outspread.machines.reuse import noted_machines
from outspread.machines.reuse.reuse_text import ReuseEntry


class MachineBook:
    """Implements KeptMachines. ``store`` takes all entries whenever they change; it may raise InfrastructureError.

    ``noted`` are those of earlier runs. With ``lends`` they are used again; otherwise they are only not forgotten.
    """

    def __init__(
        self,
        store: Callable[[Sequence[ReuseEntry]], None],
        noted: Sequence[ReuseEntry] = (),
        *,
        lends: bool = False,
        keeps: bool = False,
        resends: bool = False,
    ) -> None:
        self.keeps = keeps
        self.resends = resends
        self._store = store
        self._lends = lends
        self._entries = list(noted)
        self._busy: set[str] = set()  # addresses

    @property
    def entries(self) -> tuple[ReuseEntry, ...]:
        """All that is noted."""
        return tuple(self._entries)

    def take(self, draft: Machine) -> Machine | None:
        """Return a machine that nobody uses."""
        place = noted_machines.free_place(self._entries, self._busy, backend=draft.backend, system=draft.system)
        if place is None or not self._lends:
            return None
        entry = self._entries[place]
        machine = noted_machines.machine_of(entry, draft)
        self._busy.add(entry.address)
        if not noted_machines.machine_id_of(entry):
            self._entries[place] = noted_machines.with_machine_id(entry, machine.machine_id)
            self._store(self._entries)
        return machine

    def note(self, machine: Machine, draft: Machine) -> None:
        """Write down a machine, unless another one has its address."""
        for entry in self._entries:
            if entry.address == machine.address:
                other = f"{entry.backend}:{entry.system}"
                raise UserError(
                    f"cannot use {machine.backend}:{machine.system} at {machine.address}: another machine, {other}, is there",
                    hint="each machine needs an address of its own; see that none is allocated twice",
                )
        self._busy.add(machine.address)
        self._entries.append(noted_machines.entry_of(machine, draft))
        self._store(self._entries)

    def has_content(self, machine: Machine) -> bool:
        """Tell whether all of the content is there, as far as is written down."""
        place = self._place(machine)
        return place is not None and noted_machines.has_content(self._entries[place])

    def content_sent(self, machine: Machine) -> None:
        """Write down that all of the content is there."""
        place = self._place(machine)
        if place is not None and not noted_machines.has_content(self._entries[place]):
            self._entries[place] = noted_machines.with_content(self._entries[place])
            self._store(self._entries)

    def put_back(self, machine: Machine) -> None:
        """Let others take the machine."""
        self._busy.discard(machine.address)

    def forget(self, machine: Machine) -> None:
        """Cross out a machine."""
        place = self._place(machine)
        if place is not None:
            self._busy.discard(machine.address)
            del self._entries[place]
            self._store(self._entries)

    def _place(self, machine: Machine) -> int | None:
        known = (machine.backend, machine.system, machine.address)
        return next(
            (place for place, entry in enumerate(self._entries) if (entry.backend, entry.system, entry.address) == known), None
        )


def unwritten_book() -> MachineBook:
    """Return the book of a run whose machines are noted nowhere else."""
    return MachineBook(lambda _entries: None)
