"""The events of one run on their way to those who watch it.

A watcher that comes before much has happened gets everything from the first event on, and so does one that is there before
the run. What happened is not kept for ever: a later one gets RunStarted and what happens from then on.

A watcher that does not keep up holds the run back for a while, then it is cut off: no watcher fills the memory or stops the run.
"""

import asyncio
from collections import deque
from typing import Final
from weakref import WeakSet

from outspread.controller.values import (
    AttemptFinished,
    DebugFinished,
    Report,
    RunFinished,
    RunStarted,
    StepFinished,
    StepOutput,
)
from outspread.errors import InfrastructureError

#: How much is kept for watchers to come, and how much one may leave unread before it holds the run back.
_KEPT_LIMIT_EVENTS: Final = 1_000
_UNREAD_LIMIT_EVENTS: Final = 2_000
_LIMIT_CHARACTERS: Final = 16 * 1024 * 1024
#: How long a watcher may hold the run back.
_PATIENCE_S: Final = 10.0


def _characters(event: Report) -> int:
    if isinstance(event, StepFinished | DebugFinished):
        return len(event.output)
    if isinstance(event, StepOutput):
        return len(event.text)
    return len(event.log) if isinstance(event, AttemptFinished) else 0


class Watcher:
    """One reader of a run's events; ends after RunFinished. Abandoning it is enough to end it."""

    def __init__(self, events: "RunEvents") -> None:
        self._events = events
        self._unread: deque[Report] = deque()
        self._characters = 0
        self._ended = False
        self._cut_off = False
        self._waiting: asyncio.Future[None] | None = None
        self._room: asyncio.Future[None] | None = None

    def __aiter__(self) -> "Watcher":
        return self

    async def __anext__(self) -> Report:
        """Return the next event. Raises InfrastructureError once when this watcher was cut off."""
        while not self._unread:
            if self._cut_off:
                self._cut_off = False
                self._ended = True
                raise InfrastructureError("cannot go on watching the run: its events were not read in time", retry=False)
            if self._ended:
                raise StopAsyncIteration
            self._waiting = asyncio.get_running_loop().create_future()
            await self._waiting
        event = self._unread.popleft()
        self._characters -= _characters(event)
        if isinstance(event, RunFinished):
            self._ended = True
        if self._room is not None and not self.full:
            self._release(self._room)
        return event

    @property
    def full(self) -> bool:
        return len(self._unread) > _UNREAD_LIMIT_EVENTS or self._characters > _LIMIT_CHARACTERS

    def put(self, event: Report) -> None:
        """Hand over an event; it is never refused."""
        if self._cut_off:
            return
        self._unread.append(event)
        self._characters += _characters(event)
        self._release(self._waiting)

    async def room(self, patience_s: float) -> None:
        """Wait until it has read on; cut it off when it has not within ``patience_s``."""
        if self._room is None or self._room.done():
            self._room = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(patience_s):
                await asyncio.shield(self._room)
        except TimeoutError:
            self._unread.clear()
            self._characters = 0
            self._cut_off = True
            self._release(self._waiting)

    @staticmethod
    def _release(future: asyncio.Future[None] | None) -> None:
        if future is not None and not future.done():
            future.set_result(None)


class RunEvents:
    """All watchers of one run, there or to come."""

    def __init__(self, *, patience_s: float = _PATIENCE_S) -> None:
        self._patience_s = patience_s
        self._kept: list[Report] = []
        self._kept_characters = 0
        self._complete = True
        self._finished: RunFinished | None = None
        self._watchers: WeakSet[Watcher] = WeakSet()

    def watch(self) -> Watcher:
        """Return a new watcher, which sees everything from now on and, where it is still kept, all that was before."""
        watcher = Watcher(self)
        for event in self._kept:
            watcher.put(event)
        if self._finished is not None and not self._complete:
            watcher.put(self._finished)
        self._watchers.add(watcher)
        return watcher

    def publish(self, event: Report) -> None:
        """Hand an event to every watcher."""
        for watcher in self._watchers:
            watcher.put(event)
        if isinstance(event, RunFinished):
            self._finished = event
        if self._complete:
            self._keep(event)

    async def room(self) -> None:
        """Wait for watchers that are behind, a bounded time."""
        for watcher in [watcher for watcher in self._watchers if watcher.full]:
            await watcher.room(self._patience_s)

    def _keep(self, event: Report) -> None:
        self._kept.append(event)
        self._kept_characters += _characters(event)
        if len(self._kept) > _KEPT_LIMIT_EVENTS or self._kept_characters > _LIMIT_CHARACTERS:
            self._complete = False
            self._kept = [kept for kept in self._kept if isinstance(kept, RunStarted)]
