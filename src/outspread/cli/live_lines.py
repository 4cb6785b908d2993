"""What scripts print, line by line while they run; with several sessions each line says whose it is."""

from collections.abc import Iterator

from outspread.controller.values import Report, RunStarted, StepOutput


class LiveLines:
    """Turns pieces of output into lines; needs to be fed every event."""

    def __init__(self) -> None:
        self._are_many = False

    def feed(self, event: Report) -> None:
        if isinstance(event, RunStarted):
            self._are_many = event.sessions > 1

    def lines(self, event: StepOutput) -> Iterator[str]:
        """Yield the lines of a piece, as they were printed but for the name before each."""
        name = f"{event.context} | " if self._are_many else ""
        yield from (f"{name}{line}" for line in event.text.removesuffix("\n").split("\n"))
