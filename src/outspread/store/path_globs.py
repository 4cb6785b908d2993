"""Patterns of paths in a tree. Pure.

``*`` and ``?`` match within a name, ``[…]`` one character of it, ``**`` any number of names. A pattern that matches a directory
matches all below it.
"""

import re
from collections.abc import Callable, Iterable

from outspread.errors import UserError

#: Each one more makes matching slower, by as many times as a path has names.
_MOST_ANY_NAMES = 4


def path_globs(patterns: Iterable[str]) -> Callable[[str], bool]:
    """Return whether one of ``patterns`` matches a path, for paths relative to the tree's root. Raises ``UserError``."""
    expressions = [_expression(pattern) for pattern in patterns]
    if not expressions:
        return lambda _path: False
    matches = re.compile("|".join(expressions), re.DOTALL).match
    return lambda path: matches(path) is not None


def _expression(pattern: str) -> str:
    names = [name for name in pattern.split("/") if name not in {"", "."}]
    if pattern.startswith("/") or ".." in names or not names:
        raise UserError(f"cannot take {pattern!r} as a pattern: it does not lead into the tree")
    names = [name for name, after in zip(names, [*names[1:], ""], strict=True) if not name == after == "**"]
    if names.count("**") > _MOST_ANY_NAMES:
        raise UserError(f"cannot take {pattern[:100]!r} as a pattern: it has more than {_MOST_ANY_NAMES} times **")
    parts = ["(?:[^/]+/)*" if name == "**" else f"{_name_expression(name)}/" for name in names[:-1]]
    parts.append(".+" if names[-1] == "**" else _name_expression(names[-1]))
    return rf"{''.join(parts)}(?:/|\Z)"


def _name_expression(name: str) -> str:
    written = ""
    position = 0
    while position < len(name):
        character = name[position]
        position += 1
        if character == "*":
            written += "[^/]*"
        elif character == "?":
            written += "[^/]"
        elif character == "[" and (end := name.find("]", position + 1 + (name[position : position + 1] == "!"))) > 0:
            members = name[position:end]
            negated = members.startswith("!")
            written += f"[{'^/' if negated else ''}{_members(members[negated:])}]"
            position = end + 1
        else:
            written += re.escape(character)
    return written


def _members(members: str) -> str:
    """Return what stands between brackets, where only ``-`` between two means something."""
    return re.sub(r"([\\\]\[^&~|])", r"\\\1", members)
