"""The lists that say which backends, systems and variants a task has: each level adds to, removes from or replaces what
the levels above it left.

``cascade`` is Spread's rule for all of them; ``narrowing_cascade`` that of spread-plus for backends and systems, where no
level can have more than the first.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache

from outspread.project.errors import ProjectError
from outspread.project.glob_pattern import BadPatternError, compile_glob, is_glob

#: Whose list it is, in the words of messages, and the list: names and patterns, or both behind ``+`` or ``-``.
Level = tuple[str, Sequence[str]]

_MOST_COMPARISONS = 3_000_000


def cascade(what: str, levels: Sequence[Level]) -> set[str]:
    """Return the names that are left after the last level.

    A pattern looks at the names mentioned at all levels down to its own, itself included. Raises ProjectError.
    """
    final: set[str] = set()
    mentioned = _Mentioned()
    for number, (owner, items) in enumerate(levels):
        if not items:
            continue
        is_delta = _is_delta(what, owner, items, first=number == 0)
        mentioned.add(tuple([item[1:] for item in items]) if is_delta else tuple(items))
        mentioned.check_effort(what, owner, items)
        if is_delta:
            _apply(items, final, mentioned)
        else:
            final = {name for item in items for name in mentioned.matching(item)}
    return final


def narrowing_cascade(what: str, levels: Sequence[Level]) -> set[str]:
    """Return the names of the first level that the others leave. Raises ProjectError."""
    mentioned = _Mentioned()
    final: set[str] = set()
    for number, (owner, items) in enumerate(levels):
        if not items:
            continue
        is_delta = _is_delta(what, owner, items, first=number == 0)
        if number == 0:
            mentioned.add(tuple(items))
            final.update(items)
            continue
        mentioned.check_effort(what, owner, items)
        if is_delta:
            _apply(items, final, mentioned)
            continue
        final &= {name for item in items for name in mentioned.matching(item)}
        if not final:
            break  # a list that rules out everything is not taken back further down
    return final


def _apply(items: Sequence[str], final: set[str], mentioned: "_Mentioned") -> None:
    """Add to ``final`` and take from it as ``items`` say, one after the other."""
    for item in items:
        if item[0] == "+":
            final.update(mentioned.matching(item[1:]))
        else:
            final.difference_update(mentioned.matching(item[1:]))


class _Mentioned:
    """The names that patterns are held against, level by level."""

    def __init__(self) -> None:
        self._levels: list[tuple[str, ...]] = []
        self._names: set[str] = set()

    def add(self, names: tuple[str, ...]) -> None:
        self._levels.append(names)
        self._names.update(names)

    def matching(self, pattern: str) -> Iterable[str]:
        if not is_glob(pattern):
            return (pattern,) if pattern in self._names else ()
        try:
            return [name for names in self._levels for name in _matching(pattern, names)]
        except BadPatternError as error:
            raise ProjectError(str(error), hint=f"mend the pattern {pattern}") from error

    def check_effort(self, what: str, owner: str, items: Sequence[str]) -> None:
        """Raise ProjectError when the patterns of ``items`` would take more than a moment."""
        names = sum(map(len, self._levels))
        if len(items) * names > _MOST_COMPARISONS and sum(map(is_glob, items)) * names > _MOST_COMPARISONS:
            raise ProjectError(f"{owner} specifies too many patterns of {what}")


@lru_cache(maxsize=4096)
def _matching(pattern: str, names: tuple[str, ...]) -> tuple[str, ...]:
    matches = compile_glob(pattern)
    return tuple([name for name in names if matches(name)])


def _is_delta(what: str, owner: str, items: Sequence[str], *, first: bool) -> bool:
    signed = sum(item.startswith(("+", "-")) for item in items)
    if signed and first:
        raise ProjectError(f"{owner} specifies {what} in delta format", hint="leave out + and -: there is nothing above it")
    if signed not in (0, len(items)):
        raise ProjectError(
            f"{owner} specifies {what} both in delta and plain format", hint="begin all of them with + or -, or none"
        )
    return signed > 0
