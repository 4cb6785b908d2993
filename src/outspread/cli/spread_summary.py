"""What a run came to, in the words of Spread's log, or those of spread-plus for what only it has."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from outspread.controller.tally import Tally


def summary_messages(tally: "Tally") -> Iterator[str]:
    """Yield the messages of the summary; each may have several lines."""
    yield f"Successful tasks: {tally.successful}"
    yield f"Aborted tasks: {tally.aborted}"
    if tally.skipped:
        yield _section("Skipped tasks", [f"{skipped.job} ({skipped.reason})" for skipped in tally.skipped])
    for failed in tally.failures:
        yield _section(failed.title, failed.names)
    if tally.without_verdict:
        yield _section("Tasks without verdict", tally.without_verdict)


def _section(title: str, names: Sequence[str]) -> str:
    return "\n    - ".join([f"{title}: {len(names)}", *names])
