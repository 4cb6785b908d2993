"""What the order of a farm is worth: the real scheduler hands out a trace of durations in simulated time.

The trace is drawn once and for all from the spread that test suites show: most tests take a second or less, a few take minutes.
"""

import math
import random
from collections import deque
from collections.abc import Iterator
from heapq import heappop, heappush

import msgspec

from bench.report import Figure
from outspread.controller.command_values import AttemptEnd, Claim, CommandJob, CommandNews
from outspread.controller.farm.run_state import RunState, plan
from outspread.controller.farm.scheduler import Scheduler
from outspread.controller.values import Outcome

JOBS = 10_000
WORKERS = 100
CROWD = 1_000_000
_NOISE = 0.2  # how far a duration is from the last one, one in three times
_CALL_S = 0.001


def trace(jobs: int, seed: int = 20) -> list[float]:
    """Return durations in seconds: their logarithms are normal, with a heavy tail."""
    dice = random.Random(seed)
    return [min(dice.lognormvariate(0.0, 1.3), 300.0) for _ in range(jobs)]


class _Simulation:
    """Workers of one slot that do nothing but wait, over a scheduler."""

    def __init__(self) -> None:
        self._scheduler = Scheduler(epoch=1)
        self._now = 0.0
        self._took: dict[str, list[float]] = {}
        self._events: list[tuple[float, int, int, float]] = []  # a heap: when, worker, the attempt that ends, how long it took
        self._waiting: dict[int, deque[Claim]] = {}  # what a worker has in hand and has not begun
        self._calls = 0
        self.ended: dict[str, float] = {}

    def submit(self, run_id: str, owner: str, durations: list[float], known: dict[str, float]) -> None:
        document = msgspec.json.encode(CommandJob(name="", command=("x",)))
        names = (f"j{number}" for number in range(len(durations)))
        jobs = plan([CommandJob(name=name, command=("x",)) for name in names], [document] * len(durations), known)
        self._took[run_id] = durations
        run = RunState(
            sequence=self._scheduler.next_sequence(), run_id=run_id, owner=owner, name="", project="", jobs=jobs, at=self._now
        )
        self._scheduler.add_run(run, run.blocks())

    def run(self, workers: int, *, until: str = "", for_s: float = math.inf) -> float:
        """Let workers work until all runs are over, or one is, or for so long; return how many seconds passed."""
        began, end = self._now, self._now + for_s
        if not self._events:
            self._events = [(self._now, worker, 0, 0.0) for worker in range(workers)]
        while self._events and self._scheduler.runs and until not in self.ended and self._events[0][0] <= end:
            self._now, worker, fence, took_s = heappop(self._events)
            self._call(worker, fence, took_s)
        return self._now - began

    def _call(self, worker: int, fence: int, took_s: float) -> None:
        """Report what ended, and begin what is handed out; a worker that gets nothing is done."""
        ended = (AttemptEnd(fence, Outcome.PASSED, run_s=took_s),) if fence else ()
        self._calls += 1
        name = f"w{worker}"
        held = self._waiting.setdefault(worker, deque())
        holding = tuple(claim.fence for claim in held)
        news = CommandNews(incarnation="1", sequence=self._calls, slots=1, free=1, holding=holding, ended=ended)
        self._scheduler.hear(name, news, now=self._now, at=self._now)
        held.extend(self._scheduler.hand_out(name, sequence=self._calls, now=self._now, at=self._now, reluctantly=True))
        self._scheduler.changes.clear()
        for run_id in self._took.keys() - self._scheduler.runs.keys() - self.ended.keys():
            self.ended[run_id] = self._now
        if held:
            claim = held.popleft()
            next_s = self._took[claim.run_id][claim.number]
            heappush(self._events, (self._now + next_s + _CALL_S, worker, claim.fence, next_s))


def _makespan(durations: list[float], known_share: float) -> float:
    dice = random.Random(7)
    known = {
        f"j{number}": took_s * (1 + (dice.uniform(-_NOISE, _NOISE) if dice.random() < 1 / 3 else 0.0))
        for number, took_s in enumerate(durations)
        if dice.random() < known_share
    }
    simulation = _Simulation()
    simulation.submit("r", "me", durations, known)
    return simulation.run(WORKERS)


def _small_beside_large(crowd: int) -> float:
    """Return how long ten jobs of a second take, with so many of another owner's before them."""
    simulation = _Simulation()
    if crowd:
        simulation.submit("crowd", "eve", [1.0] * crowd, {})
        simulation.run(WORKERS, for_s=10.5)
    simulation.submit("small", "bob", [1.0] * 10, {})
    return simulation.run(WORKERS, until="small")


def scheduling() -> Iterator[Figure]:
    durations = trace(JOBS)
    bound_s = max(sum(durations) / WORKERS, *durations)
    for share, bound in ((1.0, 1.03), (0.8, 1.10), (0.0, None)):
        ratio = _makespan(durations, share) / bound_s
        name = f"{JOBS} jobs on {WORKERS} workers, {share:.0%} with history, to the lower bound"
        yield Figure(name, ratio, "x", bound=bound)
    alone_s = _small_beside_large(0)
    yield Figure("10 jobs beside 1,000,000 of another owner, to alone", _small_beside_large(CROWD) / alone_s, "x", bound=3.0)
