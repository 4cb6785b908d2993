"""Lines of output while scripts run."""

import pytest
from msgspec.structs import replace

from outspread.cli.live_lines import LiveLines
from outspread.controller.values import Report, RunStarted, StepOutput


@pytest.mark.parametrize(("sessions", "before"), [(1, ""), (2, "lab:debian-12:tests/good | ")])
def test_with_several_sessions_each_line_says_whose_it_is(events: list[Report], sessions: int, before: str) -> None:
    live = LiveLines()
    for event in events:
        if isinstance(event, RunStarted):
            live.feed(replace(event, sessions=sessions))
        elif isinstance(event, StepOutput):
            piece = replace(event, text="one\n\ntwo\n")
            assert list(live.lines(piece)) == [f"{before}one", before, f"{before}two"]
