"""The controller port: the one door through which workers and clients reach a controller.

Two implementations: in the same process (``embedded``), and over HTTP. With ``values``, all of the controller that
``worker`` and ``client`` may import.
"""

from collections.abc import AsyncIterator
from typing import Protocol

from outspread.controller.exchange_values import Exchange, Orders
from outspread.controller.values import MachineEntry, Report, RunDetail, RunSpec, RunSummary


class WorkerPort(Protocol):
    """What a controller does for its workers."""

    async def exchange(self, call: Exchange) -> Orders:
        """Take what a worker has to say and answer with work and news; at once if there is any, else within ``wait_s``.

        Reports of a seat or attempt whose fence is old change nothing: its seat comes back as stale, the attempt as lost.
        """
        ...


class FarmWorkerPort(WorkerPort, Protocol):
    """What a controller does for workers that have a connection of their own."""

    async def worker_gone(self, worker: str, incarnation: str) -> None:
        """Take back what a worker has unless it speaks again at once: the connection of its waiting call broke."""
        ...


class ControllerPort(WorkerPort, Protocol):
    """What a controller does for those outside it."""

    async def submit(self, run: RunSpec) -> None:
        """Accept a run. Idempotent: the same id with the same content again changes nothing; other content is a UserError."""
        ...

    def watch(self, run_id: str) -> AsyncIterator[Report]:
        """Yield what happens in a run, from its first event to RunFinished, after which it ends.

        Who calls this before the run is submitted, or soon after, misses nothing; of a run that has been going on for long, a
        controller may tell only RunStarted and what happens from then on.
        """
        ...

    async def cancel(self, run_id: str, reason: str) -> None:
        """Hand out no more of the run's jobs and tell its sessions to end. Final; idempotent."""
        ...

    async def history(self, *, limit: int = 20, project_root: str = "") -> list[RunSummary]:
        """Return the latest runs, newest first; of one project directory if named."""
        ...

    async def run_detail(self, run_id: str) -> RunDetail:
        """Return a run by its id or an unambiguous beginning of it, with the ends of its logs; UserError when there is none."""
        ...

    async def attempt_log(self, run_id: str, job: str, attempt: int | None = None) -> str:
        """Return all that is kept of what an attempt printed: the numbered one, else the last one of ``job``.

        ``run_id`` as in ``run_detail``; UserError when there is no such attempt.
        """
        ...

    async def machines(self) -> list[MachineEntry]:
        """Return the machines that were asked for and are not known to be gone, oldest first."""
        ...
