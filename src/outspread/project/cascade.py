"""The lists that say which backends, systems and variants a task has: each level adds to, removes from or replaces what
the levels above it left.

``cascade`` is Spread's rule for all of them; ``narrowing_cascade`` that of spread-plus for backends and systems, where no
level can have more than the first.
"""

from collections.abc import Callable, Iterable, Sequence
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
    candidates: dict[str, None] = {}
    for number, (owner, items) in enumerate(levels):
        if not items:
            continue
        is_delta = _is_delta(what, owner, items, first=number == 0)
        candidates.update(dict.fromkeys(item[1:] if is_delta else item for item in items))
        _check_effort(what, owner, items, candidates)
        if not is_delta:
            final = {name for item in items for name in _matches(item, candidates)}
            continue
        for item in items:
            if item[0] == "+":
                final.update(_matches(item[1:], candidates))
            else:
                final.difference_update(_matches(item[1:], candidates))
    return final


def narrowing_cascade(what: str, levels: Sequence[Level]) -> set[str]:
    """Return the names of the first level that the others leave. Raises ProjectError."""
    first: dict[str, None] = {}
    final: set[str] = set()
    for number, (owner, items) in enumerate(levels):
        if not items:
            continue
        is_delta = _is_delta(what, owner, items, first=number == 0)
        if number == 0:
            first = dict.fromkeys(items)
            final = set(first)
            continue
        _check_effort(what, owner, items, first)
        if not is_delta:
            final &= {name for item in items for name in _matches(item, first)}
            if not final:
                return final  # a list that rules out everything is not taken back further down
            continue
        for item in items:
            if item[0] == "+":
                final.update(_matches(item[1:], first))
            else:
                final.difference_update(_matches(item[1:], first))
    return final


def _is_delta(what: str, owner: str, items: Sequence[str], *, first: bool) -> bool:
    signed = sum(item.startswith(("+", "-")) for item in items)
    if signed and first:
        raise ProjectError(f"{owner} specifies {what} in delta format", hint="leave out + and -: there is nothing above it")
    if signed not in (0, len(items)):
        raise ProjectError(
            f"{owner} specifies {what} both in delta and plain format", hint="begin all of them with + or -, or none"
        )
    return signed > 0


def _check_effort(what: str, owner: str, items: Sequence[str], candidates: dict[str, None]) -> None:
    if len(items) * len(candidates) > _MOST_COMPARISONS and sum(map(is_glob, items)) * len(candidates) > _MOST_COMPARISONS:
        raise ProjectError(f"{owner} specifies too many patterns of {what}")


def _matches(pattern: str, candidates: dict[str, None]) -> Iterable[str]:
    if not is_glob(pattern):
        return (pattern,) if pattern in candidates else ()
    try:
        matches = _compiled(pattern)
    except BadPatternError as error:
        raise ProjectError(str(error), hint=f"mend the pattern {pattern}") from error
    return [name for name in candidates if matches(name)]


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> Callable[[str], object]:
    return compile_glob(pattern)
