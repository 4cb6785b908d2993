"""What a session asks about the machines of its run: may it use one that is there, and who remembers the one that it got.

The one implementation is ``machine_book``. Whether a machine is kept or given back is decided in ``worker``.
"""

from typing import Protocol

from outspread.machines.contract import Machine


class KeptMachines(Protocol):
    """The machines of a run that live on by themselves. Nothing here waits for anything but a small file."""

    @property
    def keeps(self) -> bool:
        """Whether machines stay when the run is done with them."""
        ...

    @property
    def resends(self) -> bool:
        """Whether the content is sent again to a machine that has it."""
        ...

    def take(self, draft: Machine) -> Machine | None:
        """Return a noted machine of the draft's system that nobody uses, with all that the draft knows; or None."""
        ...

    def note(self, machine: Machine, draft: Machine) -> None:
        """Write down a machine that was just got; what the draft knows need not be.

        Raises UserError when another machine has its address, and InfrastructureError when it cannot be written down.
        """
        ...

    def has_content(self, machine: Machine) -> bool:
        """Tell whether a machine that was taken or noted has all of the content."""
        ...

    def content_sent(self, machine: Machine) -> None:
        """Write down that it has."""
        ...

    def put_back(self, machine: Machine) -> None:
        """Let others of this run take the machine. Idempotent."""
        ...

    def forget(self, machine: Machine) -> None:
        """Cross out a machine that was given back. Idempotent."""
        ...
