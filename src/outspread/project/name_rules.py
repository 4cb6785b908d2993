"""Which names a project may use; ``\\Z`` throughout, as ``$`` would let a line break slip through."""

import re

from outspread.project.model import Flavour

_SEGMENTS = "[a-z0-9]+(?:[-._][a-z0-9]+)*"

#: Of a project and of a backend.
is_plain_name = re.compile(rf"{_SEGMENTS}\Z").match
is_suite_name = re.compile(rf"(?:{_SEGMENTS}/)+\Z").match
is_task_name = re.compile(rf"(?:{_SEGMENTS}/)+{_SEGMENTS}\Z").match

#: A key of an environment: a name, and the variants that it is for.
is_variable_key = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*(?:/[a-zA-Z0-9_]+(?:,[a-zA-Z0-9_]+)*)?\Z").match

_SYSTEM_REST = r"-[a-z0-9*]+(?:[-.][a-z0-9*]+)*\Z"
_SYSTEM_NAME = {
    Flavour.SPREAD: re.compile(rf"[a-z*]+{_SYSTEM_REST}").match,
    Flavour.SPREAD_PLUS: re.compile(rf"[a-z*][a-z0-9*]*{_SYSTEM_REST}").match,
}


def is_system_name(name: str, flavour: Flavour) -> bool:
    """Tell whether a system may be called ``name``, or be referred to by it: stars are patterns."""
    return _SYSTEM_NAME[flavour](name) is not None
