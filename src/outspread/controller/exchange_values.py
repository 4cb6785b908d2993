"""The one call that serves a worker: what it says, and what it is answered."""

from msgspec import Struct

from outspread.controller.command_values import CommandNews, CommandOrders
from outspread.controller.values import Assignment, JobWanted, Report, Seat


class Exchange(Struct, frozen=True):
    """All a worker says in one call."""

    worker: str
    free_slots: int  # sessions it could begin
    reports: tuple[tuple[str, Report], ...] = ()  # (run id, report), oldest first
    wants: tuple[JobWanted, ...] = ()
    wait_s: float = 0.0  # how long the answer may be held back while there is nothing to say
    commands: CommandNews | None = None  # of a worker that takes command jobs


class Orders(Struct, frozen=True):
    """All the controller answers."""

    seats: tuple[Seat, ...] = ()
    assignments: tuple[Assignment, ...] = ()
    cancelled_runs: tuple[str, ...] = ()  # finish at once: no further script but restores
    stale_seats: tuple[str, ...] = ()  # fence no longer valid: stop, and report no more for it
    commands: CommandOrders | None = None  # to a worker that takes command jobs
