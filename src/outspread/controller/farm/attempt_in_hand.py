"""An attempt that a worker makes, from its claim to its end, in memory. Pure."""

from outspread.controller.command_values import StopReason
from outspread.controller.farm.attempt_ids import attempt_id_of


class AttemptInHand:
    """One attempt. ``worker`` is a name, "" after a restart until one speaks of it; ``claimed_now`` by the monotonic clock."""

    __slots__ = (
        "attempt",
        "begun_at",
        "claimed_in",
        "claimed_now",
        "confirmed",
        "fence",
        "log",
        "number",
        "pieces",
        "planned_s",
        "run_id",
        "stop",
        "stop_told",
        "worker",
    )

    def __init__(
        self, *, fence: int, run_id: str, number: int, attempt: int, worker: str, claimed_now: float, planned_s: float
    ) -> None:
        self.fence = fence
        self.run_id = run_id
        self.number = number
        self.attempt = attempt
        self.worker = worker
        self.claimed_now = claimed_now
        self.planned_s = planned_s
        self.claimed_in = -1  # the worker's call that was answered with it
        self.confirmed = False
        self.begun_at: float | None = None  # time of day
        self.pieces = 0  # of its log, that came
        self.log: list[bytes] = []  # those that came with its end
        self.stop: StopReason | None = None
        self.stop_told = 0.0

    @property
    def attempt_id(self) -> str:
        return attempt_id_of(self.run_id, self.number, self.attempt)
