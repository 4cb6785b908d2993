"""The seam between the command line and the record of this computer's user: one question at a time."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from outspread.cli.open_ledger import open_ledger
from outspread.controller.embedded import EmbeddedController

Answer = TypeVar("Answer")


def ask_record(question: Callable[[EmbeddedController], Awaitable[Answer]]) -> Answer:
    """Return what ``question`` gets from a controller that has the record; InfrastructureError when it cannot be read."""

    async def ask() -> Answer:
        controller = EmbeddedController(open_ledger())
        try:
            return await question(controller)
        finally:
            await controller.close()

    return asyncio.run(ask())
