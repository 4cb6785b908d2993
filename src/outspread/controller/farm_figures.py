"""How a farm goes, in numbers: what an operator's graphs and ``outspread top`` are made of."""

from typing import Final

from msgspec import Struct

#: The upper ends of the classes that latencies are counted in, in seconds; one more class is beyond the last.
LATENCY_CLASSES_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class LatencyFigures(Struct, frozen=True):
    """How often something took how long: a count for each of ``LATENCY_CLASSES_S``, and one for what took longer."""

    counts: tuple[int, ...] = (0,) * (len(LATENCY_CLASSES_S) + 1)
    total_s: float = 0.0

    def since(self, earlier: "LatencyFigures") -> "LatencyFigures":
        """Return what came after an earlier look."""
        counts = tuple(now - then for now, then in zip(self.counts, earlier.counts, strict=True))
        return LatencyFigures(counts, self.total_s - earlier.total_s)

    def at_most_s(self, share: float) -> float | None:
        """Return what ``share`` of all stayed within, to the class; None when there was nothing, infinite beyond the last."""
        wanted, seen = share * sum(self.counts), 0
        if not wanted:
            return None
        for count, end_s in zip(self.counts, (*LATENCY_CLASSES_S, float("inf")), strict=True):
            seen += count
            if seen >= wanted:
                return end_s
        return float("inf")


class LaneFigures(Struct, frozen=True):
    """One lane that jobs wait in, and how long ago the first of them was submitted.

    ``requires`` is readable: ``kvm=yes,os=debian,limit:database``; empty for jobs that run anywhere.
    """

    requires: str
    waiting: int
    oldest_s: float


class FarmFigures(Struct, frozen=True):
    """Counters since the controller began, and how things are now."""

    lanes: tuple[LaneFigures, ...]
    running: int
    workers_connected: int
    workers_held: int
    slots: int
    runs: int
    attempts: dict[str, int]  # that ended, by outcome
    claims: int
    leases_lost: int
    commits: int
    commit: LatencyFigures  # from the first statement of a transaction to its being durable
    exchange: LatencyFigures  # from a worker's call to what it reports being durable; without what it waits for work
