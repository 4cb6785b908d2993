"""The record of what goes on: its contract, and the ledger that keeps none.

A run never depends on its record: whatever happens to the state's disk, ``record`` and ``settle`` neither raise nor hang.
Reading does raise, for whoever asked for history wants to know why there is none.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

from outspread.controller.changes import Change
from outspread.controller.values import MachineEntry, RunDetail, RunSummary
from outspread.errors import UserError


class Ledger(Protocol):
    """Where state is written and read."""

    def record(self, changes: Sequence[Change]) -> None:
        """Take changes to be written, in this order. Returns at once and never raises."""
        ...

    async def room(self) -> None:
        """Wait while too much is unwritten. Never raises."""
        ...

    async def settle(self) -> None:
        """Wait until all that was recorded so far is durable, or the ledger has given up. Never raises, bounded."""
        ...

    async def durations(self, project: str) -> Mapping[str, float]:
        """Return the expected seconds of the project's jobs by key; empty when nothing is known. Never raises, bounded."""
        ...

    async def history(self, *, limit: int, project_root: str) -> list[RunSummary]:
        """Return the latest runs, newest first. Raises InfrastructureError when the record cannot be read."""
        ...

    async def run_detail(self, run_id: str) -> RunDetail:
        """Return a run by the beginning of its id. Raises UserError when there is not one, InfrastructureError as above."""
        ...

    async def attempt_log(self, run_id: str, job: str, attempt: int | None) -> str:
        """Return the log of an attempt, or of the last one of ``job``. Raises as ``run_detail`` does."""
        ...

    async def machines(self) -> list[MachineEntry]:
        """Return the machines not known to be gone, oldest first. Raises InfrastructureError as above."""
        ...

    async def close(self) -> None:
        """Write what is left and let go. Idempotent; nothing is recorded afterwards. Never raises."""
        ...


class UnrecordedLedger:
    """Keeps nothing."""

    def record(self, changes: Sequence[Change]) -> None:
        """Forget ``changes``."""

    async def room(self) -> None:
        """Return: nothing is ever unwritten."""

    async def settle(self) -> None:
        """Return: nothing is ever unwritten."""

    async def durations(self, project: str) -> Mapping[str, float]:
        """Return nothing."""
        return {}

    async def history(self, *, limit: int, project_root: str) -> list[RunSummary]:
        """Return nothing."""
        return []

    async def run_detail(self, run_id: str) -> RunDetail:
        """Raise UserError: no run is kept."""
        raise UserError(f"cannot show run {run_id}: no record is kept")

    async def attempt_log(self, run_id: str, job: str, attempt: int | None) -> str:
        """Raise UserError: no run is kept."""
        raise UserError(f"cannot show the log of {job} in run {run_id}: no record is kept")

    async def machines(self) -> list[MachineEntry]:
        """Return nothing."""
        return []

    async def close(self) -> None:
        """Return."""
