"""Counts how long things take. Pure; one thread writes."""

from bisect import bisect_left

from outspread.controller.farm_figures import LATENCY_CLASSES_S, LatencyFigures


class Latencies:
    """Of one kind of thing."""

    def __init__(self) -> None:
        self._counts = [0] * (len(LATENCY_CLASSES_S) + 1)
        self._total_s = 0.0

    def note(self, seconds: float) -> None:
        """Count one."""
        self._counts[bisect_left(LATENCY_CLASSES_S, seconds)] += 1
        self._total_s += seconds

    def figures(self) -> LatencyFigures:
        """Return all that was counted."""
        return LatencyFigures(tuple(self._counts), self._total_s)
