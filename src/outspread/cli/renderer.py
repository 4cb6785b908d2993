"""What every way of showing a run has in common: it is fed what happens, and told when all is over."""

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from outspread.cli.tally import Tally
    from outspread.controller.values import Report


class Renderer(Protocol):
    """One way of showing a run. It reads no clock but the events' own, and writes only where it was told to."""

    def feed(self, event: "Report") -> None:
        """Show, or remember, one thing that happened. Called in the order in which things happened."""
        ...

    def finish(self, tally: "Tally") -> None:
        """Show what it came to. Called once, also when the run was interrupted."""
        ...
