"""The rules by which Go programs read their flags, for scripts that were written for one.

``-x`` and ``--x`` are the same; a value follows as ``-x=v`` or ``-x v``, of a boolean only as ``-x=false``; the first
argument that is no flag ends them, and so does ``--``. What flags there are, and what they mean, is not known here.
"""

import re
from collections.abc import Mapping, Sequence
from enum import Enum, auto
from typing import NamedTuple

from outspread.errors import UsageError

_TRUE = frozenset(("1", "t", "T", "TRUE", "true", "True"))
_FALSE = frozenset(("0", "f", "F", "FALSE", "false", "False"))
_HELP = ("h", "help")
_NUMBER = re.compile(r"[+-]?[0-9A-Za-z_]+")
_OLD_OCTAL = re.compile(r"^([+-]?0)(?=[0-7_]+$)")


class FlagKind(Enum):
    """What the value of a flag is; the value says how the usage text calls it."""

    SWITCH = auto()
    TEXT = auto()
    INTEGER = auto()


class Flag(NamedTuple):
    """A flag as its program declares it. Its default is the empty value of its kind."""

    name: str
    kind: FlagKind
    help: str


class ParsedFlags(NamedTuple):
    """What a command line says. ``given`` are the flags that stood there, whatever their value."""

    switches: Mapping[str, bool]
    texts: Mapping[str, str]
    integers: Mapping[str, int]
    given: frozenset[str]
    arguments: tuple[str, ...]
    help_wanted: bool = False


class FlagError(UsageError):
    """A flag that does not exist or has no proper value."""


def parse_flags(flags: Sequence[Flag], arguments: Sequence[str]) -> ParsedFlags:
    """Return what ``arguments`` (without the program's name) say; of a repeated flag the last one counts.

    ``-h`` and ``-help`` end the reading, unless they are flags of the program.
    """
    known = {flag.name: flag for flag in flags}
    switches = {flag.name: False for flag in flags if flag.kind is FlagKind.SWITCH}
    texts = {flag.name: "" for flag in flags if flag.kind is FlagKind.TEXT}
    integers = {flag.name: 0 for flag in flags if flag.kind is FlagKind.INTEGER}
    given: set[str] = set()
    rest = list(arguments)
    help_wanted = False
    while rest and len(rest[0]) > 1 and rest[0].startswith("-"):
        argument = rest.pop(0)
        if argument == "--":
            break
        name, value = _split(argument)
        if name not in known:
            if name not in _HELP:
                raise FlagError(f"flag provided but not defined: -{name}")
            help_wanted = True
            break
        given.add(name)
        if known[name].kind is FlagKind.SWITCH:
            switches[name] = _switch(name, value)
            continue
        if value is None:
            if not rest:
                raise FlagError(f"flag needs an argument: -{name}")
            value = rest.pop(0)
        if known[name].kind is FlagKind.TEXT:
            texts[name] = value
        else:
            integers[name] = _integer(name, value)
    return ParsedFlags(switches, texts, integers, frozenset(given), tuple(rest), help_wanted)


def usage(program: str, flags: Sequence[Flag]) -> str:
    """Return the text that lists ``flags`` by name, in the layout of Go's flag package."""
    lines = [f"Usage of {program}:"]
    for flag in sorted(flags):
        kind = {FlagKind.SWITCH: "", FlagKind.TEXT: " string", FlagKind.INTEGER: " int"}[flag.kind]
        lines.append(f"  -{flag.name}{kind}")
        lines.append(f"    \t{flag.help}")
    return "\n".join(lines) + "\n"


def _split(argument: str) -> tuple[str, str | None]:
    """Return name and value of an argument that begins with a dash; the value is None when it has none of its own."""
    body = argument[2:] if argument.startswith("--") else argument[1:]
    if not body or body[0] in "-=":
        raise FlagError(f"bad flag syntax: {argument}")
    name, equals, value = body.partition("=")
    return name, value if equals else None


def _switch(name: str, value: str | None) -> bool:
    if value is None or value in _TRUE:
        return True
    if value in _FALSE:
        return False
    raise FlagError(f'invalid boolean value "{value}" for -{name}: parse error')


def _integer(name: str, value: str) -> int:
    """Return a number written with Go's prefixes: ``0x``, ``0o``, ``0b``, and a bare ``0`` for octal."""
    try:
        number = int(_OLD_OCTAL.sub(r"\1o", value) if _NUMBER.fullmatch(value) else "", 0)
    except ValueError:
        raise FlagError(f'invalid value "{value}" for flag -{name}: parse error') from None
    if not -(2**63) <= number < 2**63:
        raise FlagError(f'invalid value "{value}" for flag -{name}: value out of range')
    return number
