"""Spans of time as text: Go's syntax (``90s``, ``1m30s``, ``1.5h``)."""

import re

_UNITS_NS = {
    "ns": 1,
    "us": 1_000,
    "\u00b5s": 1_000,  # micro sign
    "\u03bcs": 1_000,  # Greek letter
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}
_PART = re.compile(r"([0-9]*)(\.[0-9]*)?(ns|us|\u00b5s|\u03bcs|ms|s|m|h)")
_LONGEST_NS = 2**63 - 1
_MOST_DIGITS = 64  # of one number; no sensible span needs more, and int() of very long text is slow


def parse_duration_ns(text: str) -> int | None:
    """Return the nanoseconds that ``text`` stands for; None when it is no duration, or longer than 292 years."""
    sign, rest = (-1, text[1:]) if text.startswith("-") else (1, text.removeprefix("+"))
    if rest == "0":
        return 0
    total = position = 0
    while position < len(rest):
        part = _PART.match(rest, position)
        if part is None:
            return None
        whole, fraction, unit = part[1], (part[2] or "")[1:], _UNITS_NS[part[3]]
        if not (whole or fraction) or len(whole) + len(fraction) > _MOST_DIGITS:
            return None
        total += int(whole or "0") * unit + (int(fraction) * unit // 10 ** len(fraction) if fraction else 0)
        position = part.end()
    return sign * total if rest and total <= _LONGEST_NS else None


def duration_text(seconds: float) -> str:
    """Return ``seconds`` in the same syntax, as in ``1h30m``, ``14m59s`` or ``0.5s``."""
    if seconds < 60:
        return f"{seconds:g}s"
    whole = round(seconds)
    parts = ((whole // 3600, "h"), (whole // 60 % 60, "m"), (whole % 60, "s"))
    return "".join(f"{count}{unit}" for count, unit in parts if count)
