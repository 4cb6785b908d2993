"""A scheduler with a clock in the test's hand, and workers that say what they are told to."""

from collections.abc import Callable, Sequence

import msgspec
import pytest

from outspread.controller.command_values import AttemptEnd, AttemptLogPiece, Claim, CommandJob, CommandNews, CommandOrders
from outspread.controller.farm.farm_changes import FarmChange
from outspread.controller.farm.run_state import RunState, plan
from outspread.controller.farm.scheduler import Scheduler
from outspread.controller.values import Outcome


class Farm:
    """A scheduler, what it changed so far, and a clock."""

    def __init__(self) -> None:
        self.scheduler = Scheduler(epoch=1)
        self.now = 1000.0
        self.changes: list[FarmChange] = []

    @property
    def at(self) -> float:
        return self.now + 1_000_000.0

    def submit(
        self, run_id: str, jobs: int | Sequence[CommandJob], *, owner: str = "me", known_s: dict[str, float] | None = None
    ) -> RunState:
        if isinstance(jobs, int):
            jobs = [CommandJob(name=f"job {number}", command=("true",)) for number in range(jobs)]
        run = RunState(
            sequence=self.scheduler.next_sequence(),
            run_id=run_id,
            owner=owner,
            name="",
            project="",
            jobs=plan(jobs, [msgspec.json.encode(job) for job in jobs], known_s or {}),
            at=self.at,
        )
        self.scheduler.add_run(run, run.blocks())
        return run

    def tick(self, seconds: float) -> None:
        self.now += seconds
        self.scheduler.tick(now=self.now, at=self.at)
        self.take_changes()

    def take_changes(self) -> list[FarmChange]:
        while self.scheduler.stop_some(at=self.at):
            pass
        changes, self.scheduler.changes = self.scheduler.changes, []
        self.changes += changes
        return changes


class Hand:
    """A worker's side of the calls: knows what it holds."""

    def __init__(self, farm: Farm, name: str, *, slots: int = 1, dimensions: dict[str, str] | None = None) -> None:
        self.farm = farm
        self.name = name
        self.slots = slots
        self.dimensions = dimensions or {}
        self.incarnation = f"{name}/1"
        self.sequence = 0
        self.held: dict[int, Claim] = {}

    def call(
        self,
        *,
        begun: Sequence[int] = (),
        ended: Sequence[AttemptEnd] = (),
        pieces: Sequence[AttemptLogPiece] = (),
        returned: Sequence[int] = (),
        draining: bool = False,
        free: bool = True,
    ) -> CommandOrders:
        """Say it, and take the answer in."""
        for fence in [*(end.fence for end in ended), *returned]:
            self.held.pop(fence, None)
        self.sequence += 1
        news = CommandNews(
            incarnation=self.incarnation,
            sequence=self.sequence,
            slots=self.slots,
            free=self.slots,
            dimensions=self.dimensions,
            holding=tuple(self.held),
            begun=tuple(begun),
            ended=tuple(ended),
            pieces=tuple(pieces),
            returned=tuple(returned),
            draining=draining,
        )
        return self.say(news, hand_out=free)

    def say(self, news: CommandNews, *, hand_out: bool = True) -> CommandOrders:
        farm = self.farm
        lost = farm.scheduler.hear(self.name, news, now=farm.now, at=farm.at)
        claims = farm.scheduler.handed_out(self.name, news.sequence)
        if hand_out and not claims:
            claims = farm.scheduler.hand_out(self.name, sequence=news.sequence, now=farm.now, at=farm.at, reluctantly=True)
        orders = farm.scheduler.orders(self.name, lost, claims, now=farm.now)
        self.held |= {claim.fence: claim for claim in orders.claims}
        farm.take_changes()
        return orders

    def take(self) -> Claim:
        """Ask for work and begin it."""
        (claim,) = self.call().claims
        self.call(begun=[claim.fence], free=False)
        return claim

    def finish(self, claim: Claim, outcome: Outcome = Outcome.PASSED, *, free: bool = False, run_s: float = 1.0) -> CommandOrders:
        return self.call(ended=[AttemptEnd(claim.fence, outcome, run_s=run_s)], free=free)


@pytest.fixture
def farm() -> Farm:
    return Farm()


@pytest.fixture
def hand(farm: Farm) -> Callable[..., Hand]:
    def make(name: str = "ann", *, slots: int = 1, dimensions: dict[str, str] | None = None) -> Hand:
        return Hand(farm, name, slots=slots, dimensions=dimensions)

    return make
