"""Sizes as text: a whole number and one of B, K, M, G."""

import re

from outspread.project.go_quote import go_quote
from outspread.project.model import PRESERVE_SIZE

_FACTORS = {"B": 1, "K": 1024, "M": 1024**2, "G": 1024**3}
_NUMBER = re.compile(r"[-+]?[0-9]{1,18}\Z")


def parse_size_bytes(text: str) -> int:
    """Return the bytes that ``text`` stands for: 0 for none, ``PRESERVE_SIZE`` for its name. Raises ValueError."""
    if not text:
        return 0
    if text == "preserve-size":
        return PRESERVE_SIZE
    if not _NUMBER.match(text[:-1]):
        raise ValueError(f"invalid size string: {go_quote(text)}")
    factor = _FACTORS.get(text[-1])
    if factor is None:
        raise ValueError(f"unknown size suffix in {go_quote(text)}, must be one of: B, K, M, G")
    return int(text[:-1]) * factor
