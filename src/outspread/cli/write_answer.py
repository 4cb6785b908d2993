"""Print what a controller answers: lines for people, or JSON."""

import sys
from collections.abc import Iterable


def write_out(text: str) -> None:
    """Print a line at once, for whoever reads in a pipe."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def write_answer(value: object, lines: Iterable[str], *, as_json: bool) -> None:
    """Print ``value`` as JSON laid out for people, or else the lines that say the same."""
    if not as_json:
        for line in lines:
            write_out(line)
        return
    import msgspec

    from outspread.cli.json_lines import valid_json

    write_out(msgspec.json.format(valid_json(value), indent=2).decode())
