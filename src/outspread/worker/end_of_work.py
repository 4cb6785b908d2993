"""What ended the work on a seat: told to the controller, never raised, so that one session's fault does not end others."""

import asyncio
import traceback
from collections.abc import Callable

from outspread.errors import OutspreadError


async def end_of_work(work: "asyncio.Task[None]", cancel_reason: Callable[[], str]) -> str:
    """Return why ``work`` broke off, or "" when it was done. A cancellation that has no ``cancel_reason`` is raised."""
    try:
        await work
    except asyncio.CancelledError:
        if not cancel_reason():
            raise
        return cancel_reason()
    except OutspreadError as error:
        return str(error)
    except Exception as error:  # noqa: BLE001 - a fault of ours in one session must not end those of others
        return f"internal error: {_with_place(error)}"
    return ""


def _with_place(error: Exception) -> str:
    """Return what ``error`` is and where it came from, on one line."""
    while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    place = traceback.extract_tb(error.__traceback__)[-1:]
    where = f" ({place[0].filename}:{place[0].lineno})" if place else ""
    return f"{type(error).__name__}: {error}{where}".replace("\n", " ")
