"""An attempt as its worker has it in hand."""

import asyncio
from collections.abc import Callable
from enum import Enum, auto
from pathlib import Path

import msgspec

from outspread.controller.command_values import AttemptLogPiece, Claim, CommandJob
from outspread.worker.commands.job_limits import JobLimits

#: A piece of a log has so many bytes at most.
_PIECE_BYTES = 256 * 1024

_read_job = msgspec.json.Decoder(CommandJob).decode


class Phase(Enum):
    FETCHING = auto()
    READY = auto()  # for a slot, or waiting in one
    RUNNING = auto()
    COLLECTING = auto()


class Silence(Enum):
    """What becomes of an attempt that is stopped, other than an end that is told."""

    RETURNED = auto()  # given back
    LOST = auto()  # nothing is said of it


class AttemptInHand:
    """``deadline`` is that of its lease. Raises msgspec.MsgspecError when its job cannot be read."""

    __slots__ = (
        "cancelled", "claim", "deadline", "directory", "disk_full", "fence", "fetch_s", "job", "limits", "log",
        "log_skipped_bytes", "phase", "pieces", "prepared", "release", "silence", "task", "watched",
    )  # fmt: skip

    def __init__(self, claim: Claim, deadline: float, directory: Path, limits: JobLimits) -> None:
        self.claim = claim
        self.fence = claim.fence
        self.job = _read_job(claim.job)
        self.limits = limits.of(self.job)
        self.deadline = deadline
        self.directory = directory
        self.prepared = False  # the directory was made here, and is to be removed
        self.phase = Phase.READY
        self.cancelled = False
        self.disk_full = False  # it wrote more than it may
        self.silence: Silence | None = None
        self.watched = False  # somebody reads its log
        self.task: asyncio.Task[None] | None = None  # what the worker itself does for it
        self.release: Callable[[], None] | None = None  # of its inputs
        self.fetch_s = 0.0
        self.log = bytearray()  # printed, and not told yet
        self.log_skipped_bytes = 0  # before it
        self.pieces = 0

    @property
    def attempt_id(self) -> str:
        return f"{self.claim.run_id}.{self.claim.number}.{self.claim.attempt}"

    def print(self, data: bytes, skipped_bytes: int) -> list[AttemptLogPiece]:
        """Note what it printed; return what is to be told before it."""
        told = self.take_log() if skipped_bytes else []
        self.log_skipped_bytes += skipped_bytes
        self.log += data
        return told

    def take_log(self) -> list[AttemptLogPiece]:
        """Return all that it has printed and that was not told yet, in pieces."""
        pieces = []
        log = bytes(self.log)
        for start in range(0, len(log), _PIECE_BYTES) or (range(1) if self.log_skipped_bytes else ()):
            data = log[start : start + _PIECE_BYTES]
            pieces.append(AttemptLogPiece(self.fence, self.pieces, data, self.log_skipped_bytes))
            self.pieces += 1
            self.log_skipped_bytes = 0
        self.log.clear()
        return pieces
