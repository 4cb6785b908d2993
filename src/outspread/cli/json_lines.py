"""A run as JSON lines: one object for each event, and one of what it came to.

Each line is an object whose ``event`` names its kind (``run-started``, ``step-finished``, ``attempt-finished`` …) and
whose ``at`` is seconds since the epoch; the other members are the fields of that event in ``controller.values``. The
last line has ``event`` = ``summary``, ``passed``, ``run_id``, ``seed``, and the counts of jobs. Members may be added later,
never renamed. Bytes of output that are not UTF-8 become U+FFFD.
"""

from typing import TYPE_CHECKING, TextIO

import msgspec
from msgspec import Struct

from outspread.cli.job_counts import JobCounts, JobOutcomes
from outspread.cli.terminal_text import valid_text
from outspread.controller.values import Report, RunFinished, RunStarted

if TYPE_CHECKING:
    from outspread.cli.tally import Tally

_ENCODER = msgspec.json.Encoder()


class Summary(Struct, frozen=True, tag="summary", tag_field="event"):
    """The last line."""

    at: float
    run_id: str
    seed: int
    passed: bool
    jobs: JobCounts


class JsonLines:
    """Writes to ``out`` as things happen."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._run_id = ""
        self._seed = 0
        self._at = 0.0
        self._passed = False
        self._outcomes = JobOutcomes()

    def feed(self, event: Report) -> None:
        self._at = event.at
        self._outcomes.feed(event)
        match event:
            case RunStarted(run_id=run_id, seed=seed):
                self._run_id, self._seed = run_id, seed
            case RunFinished(passed=passed):
                self._passed = passed
            case _:
                pass
        self._line(event)

    def finish(self, tally: "Tally") -> None:
        self._line(Summary(self._at, self._run_id, self._seed, self._passed, self._outcomes.counts()))

    def _line(self, value: Struct) -> None:
        self._out.write(valid_json(value).decode() + "\n")
        self._out.flush()


def valid_json(value: object) -> bytes:
    """Return ``value`` as JSON; bytes that were not UTF-8 become U+FFFD."""
    try:
        return _ENCODER.encode(value)
    except UnicodeEncodeError:
        return _ENCODER.encode(_valid(msgspec.to_builtins(value)))


def _valid(value: object) -> object:
    """Return ``value``, made of what JSON has, with valid texts only."""
    match value:
        case str():
            return valid_text(value)
        case dict():
            return {valid_text(key): _valid(item) for key, item in value.items()}
        case list() | tuple():
            return [_valid(item) for item in value]
        case _:
            return value
