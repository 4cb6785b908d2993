"""Who waits for something to happen to one run or one attempt: only what concerns them wakes them. For one event loop."""

import asyncio
import contextlib
from collections.abc import Iterable, Iterator

from outspread.controller.farm.attempt_ids import attempt_id_of
from outspread.controller.farm.farm_changes import AttemptOver, FarmChange, LogWritten, RunOver


class Lookers:
    """Those who look on, by the id of what they look at."""

    def __init__(self) -> None:
        self._looking: dict[str, set[asyncio.Future[None]]] = {}

    @contextlib.contextmanager
    def looking(self, at: str) -> Iterator["asyncio.Future[None]"]:
        """Give what is done as soon as something happens to that run or attempt from now on."""
        news = asyncio.get_running_loop().create_future()
        self._looking.setdefault(at, set()).add(news)
        try:
            yield news
        finally:
            here = self._looking[at]
            here.discard(news)
            if not here:
                del self._looking[at]

    def tell(self, changes: Iterable[FarmChange]) -> None:
        """Wake those whom these changes concern."""
        if not self._looking:
            return
        for change in changes:
            if isinstance(change, AttemptOver | RunOver):
                self._wake(change.run_id)
            if isinstance(change, AttemptOver | LogWritten):
                self._wake(attempt_id_of(change.run_id, change.number, change.attempt))

    def tell_all(self) -> None:
        """Wake everybody."""
        for at in self._looking:
            self._wake(at)

    def _wake(self, at: str) -> None:
        for news in self._looking.get(at, ()):
            if not news.done():
                news.set_result(None)
