"""How a farm goes, in numbers: what an operator's graphs are made of."""

from msgspec import Struct


class LaneFigures(Struct, frozen=True):
    """One lane that jobs wait in. ``requires`` is readable: ``kvm=yes,os=debian``; empty for jobs that run anywhere."""

    requires: str
    waiting: int


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
