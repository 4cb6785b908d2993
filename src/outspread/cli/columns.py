"""Tables of text, and the moments in them."""

import time
from collections.abc import Iterator, Sequence


def table(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    """Yield a line for each row, its cells under one another."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def moment(at: float) -> str:
    """Return a time (seconds since the epoch) by the local clock, to the minute."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(at))
