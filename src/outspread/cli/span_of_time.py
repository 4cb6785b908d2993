"""A span of time as an argument: ``90s``, ``1h30m``."""

from typing import Any

import click

LONGEST_S = 30 * 24 * 3600.0


class SpanOfTime(click.ParamType[float]):
    """Seconds, more than 0 and at most 30 days."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the seconds that a text stands for."""
        if isinstance(value, float):
            return value
        from outspread.project.durations import parse_duration_ns

        nanoseconds = parse_duration_ns(str(value))
        if nanoseconds is None or not 0 < nanoseconds <= LONGEST_S * 1e9:
            self.fail(f"{value!r} is no span of time up to 720h, as in 90s, 30m or 1h30m", param, ctx)
        return nanoseconds / 1e9
