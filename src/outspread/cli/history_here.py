"""The seam between the command line and the record of the runs of this computer's user."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from outspread.cli.open_ledger import open_ledger
from outspread.controller.embedded import EmbeddedController
from outspread.controller.port import ControllerPort
from outspread.controller.values import RunDetail, RunSummary

Answer = TypeVar("Answer")


def history_here(limit: int, *, project_root: str) -> list[RunSummary]:
    """Return the latest runs, newest first; of one project directory if named."""
    return _asked(lambda controller: controller.history(limit=limit, project_root=project_root))


def run_detail_here(run_id: str) -> RunDetail:
    """Return a run by the beginning of its id. Raises UserError when there is none, or more than one."""
    return _asked(lambda controller: controller.run_detail(run_id))


def attempt_log_here(run_id: str, job: str, attempt: int) -> str:
    """Return all that is kept of what an attempt printed."""
    return _asked(lambda controller: controller.attempt_log(run_id, job, attempt))


def _asked(question: Callable[[ControllerPort], Awaitable[Answer]]) -> Answer:
    async def ask() -> Answer:
        controller = EmbeddedController(open_ledger())
        try:
            return await question(controller)
        finally:
            await controller.close()

    return asyncio.run(ask())
