"""Which jobs are meant on the command line.

An argument is a regular expression over a job's name in which ``.`` is a dot, ``...`` anything but a colon, and ``:`` a
colon with any components in between; ``#N`` or ``#N..M`` at its end chooses samples. It begins at the beginning of the
name or behind a colon, and ends at the end, before a colon or before the ``#``.
"""

import re
from collections.abc import Callable, Sequence

from msgspec import Struct

from outspread.project.errors import ProjectError
from outspread.project.filter_pattern import PatternError, compile_pattern
from outspread.project.go_quote import go_quote

_SAMPLES = re.compile(r"(.*)#([0-9]+)(?:\.\.([0-9]+))?\Z")
_MOST_DIGITS = 18


class _Expression(Struct, frozen=True):
    search: Callable[[str], object]
    first_sample: int
    last_sample: int


class JobFilter:
    """The arguments together: a job that passes one of them is selected. Without arguments all do."""

    def __init__(self, arguments: Sequence[str]) -> None:
        """Raise ProjectError when one of the arguments has no meaning."""
        # Of several that mean the same, one is enough.
        self._expressions = [_parsed(argument) for argument in dict.fromkeys(arguments)]

    def __bool__(self) -> bool:
        return bool(self._expressions)

    def passes(self, name: str, sample: int) -> bool:
        """Tell whether the job of that name and sample is selected."""
        for one in self._expressions:
            if one.first_sample and not one.first_sample <= sample <= one.last_sample:
                continue
            if one.search(name):
                return True
        return not self._expressions


def _parsed(argument: str) -> _Expression:
    text, first, last = argument, 0, 0
    samples = _SAMPLES.match(argument)
    if samples is not None:
        text = samples[1]
        first, last = _number(samples[2]), _number(samples[3] or samples[2])
        if first < 1 or last < first:
            raise ProjectError(f"invalid sample range in filter string: {go_quote(argument)}", hint="write #1 or #1..3")
    try:
        return _Expression(compile_pattern(text), first, last)
    except PatternError as error:
        raise ProjectError(f"invalid filter string: {go_quote(error.token or argument)}", hint=str(error)) from error


def _number(digits: str) -> int:
    return int(digits) if len(digits) <= _MOST_DIGITS else 0
