"""A size as an argument: ``512M``, ``2G``."""

from typing import Any

import click


class SizeInBytes(click.ParamType[int]):
    """Bytes, more than 0."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the bytes that a text stands for."""
        if isinstance(value, int):
            return value
        from outspread.project.sizes import parse_size_bytes

        try:
            size_bytes = parse_size_bytes(str(value))
        except ValueError:
            size_bytes = 0
        if size_bytes <= 0:
            self.fail(f"{value!r} is no size: a whole number and one of B, K, M, G, as in 512M", param, ctx)
        return size_bytes
