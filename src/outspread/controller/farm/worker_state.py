"""A worker as the scheduler sees it: what it has in hand, when it spoke last, whether it is held. Pure."""

from typing import Final

from outspread.controller.command_values import CommandNews, WorkerHealth, WorkerStatus
from outspread.controller.farm.attempt_in_hand import AttemptInHand
from outspread.controller.farm.ready_queue import Lane, serves

#: A worker has so many seconds of work for each slot at hand, in short jobs.
AHEAD_S: Final = 0.2
#: And at most so many jobs a slot.
AHEAD_JOBS: Final = 64
#: So many lanes are known to be for a worker, or not, without looking.
_LANES_KEPT: Final = 10_000
#: After so many infrastructure failures in a row a worker is held, twice as long each time.
_FAILURES_IN_A_ROW: Final = 3
_FIRST_HOLD_S: Final = 30.0
_LONGEST_HOLD_S: Final = 3600.0


class WorkerState:
    """One worker by name. What it had in hand ends with its incarnation."""

    __slots__ = (
        "connected", "dimensions", "draining", "failures_in_a_row", "health", "heard_now", "held_until", "hold_reason", "holds",
        "in_hand", "incarnation", "lanes", "name", "planned_s", "sequence", "slots",
    )  # fmt: skip

    def __init__(self, name: str) -> None:
        self.name = name
        self.incarnation = ""
        self.sequence = -1
        self.slots = 0
        self.dimensions: dict[str, str] = {}
        self.in_hand: dict[int, AttemptInHand] = {}  # by fence
        self.planned_s = 0.0  # of all in hand
        self.heard_now = 0.0
        self.connected = False
        self.draining = False
        self.health = WorkerHealth()
        self.hold_reason = ""
        self.held_until = 0.0  # wall clock
        self.holds = 0
        self.failures_in_a_row = 0
        self.lanes: dict[Lane, bool] = {}

    def listen(self, news: CommandNews, now: float) -> None:
        """Take what a call says of the worker itself."""
        self.sequence = news.sequence
        self.slots = news.slots
        if news.dimensions != self.dimensions:
            self.dimensions = news.dimensions
            self.lanes.clear()
        self.heard_now = now
        self.connected = not news.leaving
        self.draining = news.draining or news.leaving
        self.health = news.health

    def may_serve(self, lane: Lane) -> bool:
        known = self.lanes.get(lane)
        if known is None:
            if len(self.lanes) >= _LANES_KEPT:
                self.lanes.clear()
            known = self.lanes[lane] = serves(self.dimensions, lane)
        return known

    @property
    def has_room(self) -> bool:
        """Whether it could take another job: one a slot, and short ones ahead."""
        count = len(self.in_hand)
        return count < self.slots or (
            self.slots > 0 and self.planned_s < self.slots * AHEAD_S and count < self.slots * AHEAD_JOBS
        )

    def is_held(self, at: float) -> bool:
        return bool(self.health.hold) or at < self.held_until

    def takes_work(self, at: float) -> bool:
        return self.connected and not self.draining and not self.is_held(at)

    def succeeded(self) -> None:
        """Note an attempt with a verdict: the worker does work."""
        self.failures_in_a_row = 0
        self.holds = 0

    def failed(self, reason: str, at: float) -> bool:
        """Note an infrastructure failure; return whether the worker is held for it from now on."""
        self.failures_in_a_row += 1
        if self.failures_in_a_row < _FAILURES_IN_A_ROW:
            return False
        self.failures_in_a_row = 0
        self.held_until = at + min(_FIRST_HOLD_S * 2**self.holds, _LONGEST_HOLD_S)
        self.holds += 1
        self.hold_reason = f"{_FAILURES_IN_A_ROW} infrastructure failures in a row, the last: {reason}"
        return True

    def status(self, *, now: float, at: float) -> WorkerStatus:
        held = at < self.held_until
        return WorkerStatus(
            name=self.name,
            dimensions=self.dimensions,
            slots=self.slots,
            running=tuple(attempt.attempt_id for attempt in self.in_hand.values() if attempt.begun_at is not None),
            connected=self.connected,
            last_heard_s=max(0.0, now - self.heard_now),
            draining=self.draining,
            hold=self.health.hold or (self.hold_reason if held else ""),
            held_until=self.held_until if held else 0.0,
            health=self.health,
        )
