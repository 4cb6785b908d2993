"""A controller that belongs to the tests: in this process, first in, first out."""

import asyncio
import time
from collections import deque

import msgspec

from outspread.controller.command_values import AttemptEnd, Claim, CommandJob, CommandNews, CommandOrders, Stop, StopReason
from outspread.controller.exchange_values import Exchange, Orders
from outspread.errors import InfrastructureError


class Controller:
    """Hands out jobs, first in, first out; notes all that workers say. ``reachable`` says whether calls arrive."""

    def __init__(self) -> None:
        self.queue: deque[CommandJob] = deque()
        self.calls: list[CommandNews] = []
        self.begun: dict[str, float] = {}
        self.printed: dict[str, list[bytes]] = {}
        self.skipped: dict[str, int] = {}
        self.ends: dict[str, AttemptEnd] = {}
        self.returned: list[str] = []
        self.refused: list[int] = []  # fences of reports that came too late
        self.reachable = True
        self.answers_lost = 0  # so many answers do not arrive
        self.watched: set[str] = set()
        self.ahead = 0  # claims beyond the slots
        self.health_seen: list[str] = []
        self._jobs: dict[int, CommandJob] = {}
        self._held: dict[int, str] = {}  # fence -> job
        self._stops: list[Stop] = []
        self._fence = 0
        self._news = asyncio.Event()
        self._pieces: dict[int, int] = {}

    def submit(self, *jobs: CommandJob) -> None:
        self.queue.extend(jobs)
        self._news.set()

    def stop(self, name: str, reason: StopReason) -> None:
        fence = next(fence for fence, held in self._held.items() if held == name)
        self._stops.append(Stop(fence, reason))
        if reason is StopReason.LOST:
            del self._held[fence]
        self._news.set()

    def poke(self) -> None:
        """Answer the waiting call."""
        self._news.set()

    async def exchange(self, call: Exchange) -> Orders:
        self._check_reachable()
        news = call.commands
        assert news is not None
        self.calls.append(news)
        self.health_seen.append(news.health.hold)
        stops = self._take(news)
        deadline = time.monotonic() + call.wait_s
        claims = self._claims(news)
        while not (claims or stops or self._stops) and (left_s := deadline - time.monotonic()) > 0:
            self._news.clear()
            try:
                async with asyncio.timeout(left_s):
                    await self._news.wait()
            except TimeoutError:
                break
            self._check_reachable()
            claims = self._claims(news)
            if self.watched:
                break
        self._check_reachable()
        if self.answers_lost:
            self.answers_lost -= 1
            raise InfrastructureError("the answer was lost")
        stops += self._stops
        self._stops = []
        watched = tuple(fence for fence, name in self._held.items() if name in self.watched)
        return Orders(commands=CommandOrders(claims, tuple(stops), watched))

    def _check_reachable(self) -> None:
        if not self.reachable:
            raise InfrastructureError("cannot reach the controller: no route")

    def _take(self, news: CommandNews) -> list[Stop]:
        lost = [fence for fence in news.holding if fence not in self._held and self._jobs[fence].name not in self.ends]
        for fence in news.begun:
            if fence in self._held:
                self.begun.setdefault(self._held[fence], time.monotonic())
        for piece in news.pieces:
            name = self._held.get(piece.fence)
            if name is not None and piece.number == self._pieces.get(piece.fence, 0):
                self._pieces[piece.fence] = piece.number + 1
                self.printed.setdefault(name, []).append(piece.data)
                self.skipped[name] = self.skipped.get(name, 0) + piece.skipped_bytes
        for end in news.ended:
            name = self._held.pop(end.fence, None)
            if name is None:
                if self._jobs[end.fence].name not in self.ends:
                    self.refused.append(end.fence)
                continue
            assert end.pieces == self._pieces.get(end.fence, 0)
            self.ends[name] = end
        for fence in news.returned:
            if (name := self._held.pop(fence, None)) is not None:
                self.returned.append(name)
                self.queue.append(self._jobs[fence])
        if news.leaving:
            self._held.clear()
        return [Stop(fence, StopReason.LOST) for fence in lost]

    def _claims(self, news: CommandNews) -> tuple[Claim, ...]:
        claims: list[Claim] = []
        while (
            self.queue and len(self._held) < news.slots + self.ahead and not (news.health.hold or news.draining or news.leaving)
        ):
            job = self.queue.popleft()
            self._fence += 1
            self._jobs[self._fence] = job
            self._held[self._fence] = job.name
            claims.append(Claim(self._fence, "run", self._fence, 1, msgspec.Raw(msgspec.json.encode(job))))
        return tuple(claims)

    def log(self, name: str) -> bytes:
        return b"".join(self.printed.get(name, []))
