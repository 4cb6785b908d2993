"""The ``Range`` header of a request (RFC 9110): one range of bytes. Pure."""

import re
from typing import Final

from outspread.server.problem import Code, ProblemError

_RANGE: Final = re.compile(r"bytes=(?:(\d{1,18})-(\d{1,18})?|-(\d{1,18}))", re.ASCII)


def part_of(wanted: str, total: int) -> tuple[int, int] | None:
    """Return where the wanted part of ``total`` bytes begins and ends; None for all of it, or a header of a kind to ignore."""
    found = _RANGE.fullmatch(wanted)
    if found is None:
        return None
    first, last, length = found.groups()
    begin = max(0, total - int(length)) if length else int(first)
    end = min(total, int(last) + 1) if last else total
    if begin >= end:
        size = (("content-range", f"bytes */{total}"),)
        raise ProblemError(Code.NO_SUCH_PART, f"cannot read {wanted}: there are {total} bytes", headers=size)
    return begin, end
