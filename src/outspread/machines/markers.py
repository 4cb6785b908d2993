"""Read what scripts say about themselves: ``<REBOOT key>``, ``<ERROR text>``, ``<FATAL text>`` and ``<ADDRESS host>``. Pure.

The helpers that print them are in ``prologue``.
"""

import re
from enum import StrEnum

from msgspec import Struct

#: The exit code by which a script says that its last line is a marker.
MARKER_EXIT_CODE = 213

_LINE = re.compile(r"<([A-Z]+)(?: (.*))?>")


class Word(StrEnum):
    REBOOT = "REBOOT"
    ERROR = "ERROR"
    FATAL = "FATAL"


class Marker(Struct, frozen=True):
    """How a script ended by its own account: with the key of REBOOT, or the text of ERROR or FATAL; "" when it gave none."""

    word: Word
    text: str = ""


def final_marker(output: str, exit_code: int | None) -> Marker | None:
    """Return the marker on the last line of ``output``; None when there is none, or the exit code does not vouch for it.

    Traces (``+ command``) do not count as lines: a job in the background may still print its own after the marker.
    """
    if exit_code != MARKER_EXIT_CODE:
        return None
    lines = (line.strip() for line in reversed(output.rstrip().split("\n")))
    found = _LINE.fullmatch(next((line for line in lines if not line.startswith("+")), ""))
    if found is None or found[1] not in Word.__members__:
        return None
    return Marker(Word(found[1]), found[2] or "")


def address(output: str) -> str:
    """Return the last address that a local script named; "" when it named none."""
    found = ""
    for line in output.splitlines():
        match = _LINE.fullmatch(line.strip())
        if match is not None and match[1] == "ADDRESS":
            found = (match[2] or "").strip()
    return found
