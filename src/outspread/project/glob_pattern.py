"""Patterns of names: Go's ``filepath.Match``, in which ``*`` and ``?`` stop at a slash and faults are errors."""

import re
from collections.abc import Callable

_SPECIAL = frozenset("*?[\\")


class BadPatternError(ValueError):
    """A pattern that has no meaning."""

    def __init__(self) -> None:
        super().__init__("syntax error in pattern")


def is_glob(pattern: str) -> bool:
    """Tell whether ``pattern`` is more than a name."""
    return not _SPECIAL.isdisjoint(pattern)


def compile_glob(pattern: str) -> Callable[[str], object]:
    """Return a function that is true of the names that ``pattern`` matches. Raises BadPatternError."""
    pieces = [""]  # what stands between the stars, as regular expressions
    position = 0
    while position < len(pattern):
        character = pattern[position]
        position += 1
        if character == "*":
            pieces.append("")
            continue
        if character == "?":
            piece = "[^/]"
        elif character == "[":
            piece, position = _members(pattern, position)
        else:
            if character == "\\":
                character, position = _escaped(pattern, position - 1)
            piece = re.escape(character)
        pieces[-1] += piece
    return re.compile(_joined(pieces), re.DOTALL).match


def _joined(pieces: list[str]) -> str:
    """Return one expression. Each middle piece is looked for once, leftmost: any later place could only match less."""
    if len(pieces) == 1:
        return rf"{pieces[0]}\Z"
    first, *middle, last = pieces
    return first + "".join(f"(?>[^/]*?{piece})" for piece in middle if piece) + rf"[^/]*{last}\Z"


def _members(pattern: str, position: int) -> tuple[str, int]:
    """Return the set that begins behind a bracket, as a regular expression, and where it ends."""
    negated = pattern.startswith("^", position)
    position += negated
    ranges: list[str] = []
    while not (ranges and pattern.startswith("]", position)):
        low, position = _bound(pattern, position)
        high = low
        if pattern.startswith("-", position):
            high, position = _bound(pattern, position + 1)
        if low <= high:
            ranges.append(f"{re.escape(low)}-{re.escape(high)}")
        else:
            ranges.append("")  # matches nothing, which is no fault
        if position >= len(pattern):
            raise BadPatternError
    body = "".join(ranges)
    if not body:
        return (r"[\s\S]" if negated else "(?!)"), position + 1
    return (f"[^{body}]" if negated else f"[{body}]"), position + 1


def _bound(pattern: str, position: int) -> tuple[str, int]:
    if position >= len(pattern) or pattern[position] in "-]":
        raise BadPatternError
    return _escaped(pattern, position)


def _escaped(pattern: str, position: int) -> tuple[str, int]:
    """Return the character at ``position``, or the one behind the backslash there, and where it ends."""
    if pattern[position] == "\\":
        position += 1
        if position >= len(pattern):
            raise BadPatternError
    return pattern[position], position + 1
