"""What a run came to, in the words of Spread's log, or those of spread-plus for what only it has."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from outspread.cli.tally import Skipped, Tally

_OF_TASKS = "Failed task"  # what titles of counters of tasks begin with; those of suites and so on come after


def summary_messages(tally: "Tally") -> Iterator[str]:
    """Yield the messages of the summary; each may have several lines."""
    yield f"Successful tasks: {tally.successful}"
    yield f"Aborted tasks: {tally.aborted}"
    yield from _skipped("Skipped tasks", tally.skipped)
    yield from (_section(failed.title, failed.names) for failed in tally.failures if failed.title.startswith(_OF_TASKS))
    yield from _skipped("Skipped suites", tally.skipped_suites)
    yield from (_section(failed.title, failed.names) for failed in tally.failures if not failed.title.startswith(_OF_TASKS))
    if tally.without_verdict:
        yield _section("Tasks without verdict", tally.without_verdict)


def _skipped(title: str, all_skipped: "Sequence[Skipped]") -> Iterator[str]:
    if all_skipped:
        yield _section(title, [f"{skipped.name} - {skipped.reason}" for skipped in all_skipped])


def _section(title: str, names: Sequence[str]) -> str:
    return "\n    - ".join([f"{title}: {len(names)}", *names])
