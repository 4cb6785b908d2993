"""Sizes as people read them. Pure."""

from typing import Final

_UNITS: Final = ((1024**3, "GiB"), (1024**2, "MiB"), (1024, "KiB"))


def size_in_words(size_bytes: int) -> str:
    """Return a size with the largest unit that it has at least one of."""
    for unit, name in _UNITS:
        if size_bytes >= unit:
            return f"{size_bytes / unit:.1f} {name}"
    return f"{size_bytes} bytes"
