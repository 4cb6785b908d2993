"""Which files of a work tree are wanted, found while walking down: only directories that can hold one need be entered. Pure.

The patterns are those of ``store.path_globs``: ``*`` and ``?`` match within a name, ``[…]`` one character of it, ``**`` any
number of names; a pattern that matches a directory matches all below it.
"""

import re
from collections.abc import Iterable
from fnmatch import translate
from functools import lru_cache
from typing import Final, Self

from outspread.errors import UserError

_ANY_NAMES: Final = "**"
_Rest = tuple[str, ...]


class OutputGlobs:
    """What is left to match at one place of the tree."""

    def __init__(self, rests: Iterable[_Rest], *, all_below: bool = False) -> None:
        self._rests = frozenset(rests)
        self._all_below = all_below

    @classmethod
    def parse(cls, patterns: Iterable[str]) -> Self:
        """Return the state at the top of the tree. Raises UserError for a pattern that leads out of it."""
        return cls(_with_skipped(_names(pattern) for pattern in patterns))

    def wants(self, name: str) -> bool:
        """Tell whether what has this name here is wanted, with all below it if it is a directory."""
        return self._all_below or any(
            (len(rest) == 1 and _matches(rest[0], name)) or rest == (_ANY_NAMES,) for rest in self._rests
        )

    def enter(self, name: str) -> "OutputGlobs | None":
        """Return the state inside a directory of this name; None when nothing in it can be wanted."""
        if self.wants(name):
            return OutputGlobs((), all_below=True)
        rests = _with_skipped(
            rest if rest[0] == _ANY_NAMES else rest[1:]
            for rest in self._rests
            if rest[0] == _ANY_NAMES or _matches(rest[0], name)
        )
        return OutputGlobs(rests) if rests else None


def _names(pattern: str) -> _Rest:
    names = tuple(name for name in pattern.split("/") if name not in {"", "."})
    if pattern.startswith("/") or ".." in names or not names:
        raise UserError(f"cannot collect outputs by {pattern!r}: it does not lead into the work tree")
    return names


def _with_skipped(rests: Iterable[_Rest]) -> set[_Rest]:
    """Return what may match next; ``**`` may also stand for no name at all."""
    found = set()
    for rest in rests:
        left = rest
        while left:
            found.add(left)
            if left[0] != _ANY_NAMES or len(left) == 1:
                break
            left = left[1:]
    return found


def _matches(pattern: str, name: str) -> bool:
    return pattern != _ANY_NAMES and _compiled(pattern).match(name) is not None


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(translate(pattern))
