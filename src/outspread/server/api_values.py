"""What the API takes and gives beyond the values of the command port: frozen values, written as JSON."""

from typing import Annotated

from msgspec import Meta, Struct

from outspread.controller.command_values import CommandAttempt, CommandRunStatus, FlakyJob, WorkerStatus
from outspread.server.api_limits import LARGEST_NUMBER


class RunList(Struct, frozen=True):
    """Runs, newest first. ``next`` is what ``before`` has to be for those that follow; null at the end."""

    runs: list[CommandRunStatus]
    next: float | None


class WorkerList(Struct, frozen=True):
    workers: list[WorkerStatus]


class AttemptList(Struct, frozen=True):
    attempts: list[CommandAttempt]


class FlakyList(Struct, frozen=True):
    jobs: list[FlakyJob]


class Cancellation(Struct, frozen=True, forbid_unknown_fields=True):
    """``reason`` is kept with the run."""

    reason: str = ""


class SubmissionPart(Struct, frozen=True, forbid_unknown_fields=True):
    """Which jobs are wanted, by their numbers."""

    numbers: tuple[Annotated[int, Meta(ge=0, le=LARGEST_NUMBER)], ...]


class WorkerHold(Struct, frozen=True, forbid_unknown_fields=True):
    """``for_s`` is how long; 0 ends a hold."""

    worker: str
    reason: str
    for_s: float


class Done(Struct, frozen=True):
    """All is as it was asked for, and durable."""

    done: bool = True
