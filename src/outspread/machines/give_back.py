"""Giving back what an allocation made before it failed or was cancelled."""

import asyncio
import contextlib
from collections.abc import Coroutine

from outspread.errors import OutspreadError
from outspread.machines.contract import LeftBehindError, Machine


async def give_back(machine: Machine, discarding: Coroutine[None, None, None]) -> None:
    """See ``discarding`` through, also when cancelled meanwhile. Raises LeftBehindError when it fails."""
    task = asyncio.ensure_future(discarding)
    while not task.done():
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait([task])
    if isinstance(error := task.exception(), OutspreadError):
        raise LeftBehindError(machine, error.message, hint=error.hint) from error
    task.result()
