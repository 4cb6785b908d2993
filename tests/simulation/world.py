"""A simulated farm: the real controller on simulated disk, network and clock, with workers and people that do what dice say.

After a storm of crashes, lost, late, repeated and reordered calls the weather clears, and everything that was accepted must come
to its one end. ``python -m tests.simulation --steps N --seed S`` runs it for long; a step is one call over the network.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import TypeVar

import msgspec
from tests.simulation.simulated_ledger import SimulatedDisk, SimulatedLedger

from outspread.controller.command_values import (
    LEASE_S,
    RENEW_S,
    AttemptEnd,
    AttemptLogPiece,
    Claim,
    CommandJob,
    CommandNews,
    CommandRun,
    StopReason,
)
from outspread.controller.exchange_values import Exchange, Orders
from outspread.controller.farm.commit_queue import RecordError
from outspread.controller.farm.farm_controller import FarmController
from outspread.controller.values import Outcome
from outspread.errors import InfrastructureError, UserError

_T = TypeVar("_T")

#: Runs are written in several parts, with crashes between them.
_JOBS_AT_ONCE = 15
_RUNS = "FROM runs WHERE kind = 'commands'"
_OUTCOMES = [Outcome.PASSED] * 12 + [Outcome.FAILED] * 3 + [Outcome.TIMEOUT, Outcome.INFRA]


class Weather(msgspec.Struct, frozen=True):
    """How bad it is: shares of calls or commits that it happens to."""

    lost_request: float = 0.02
    lost_answer: float = 0.02
    repeated: float = 0.05
    late: float = 0.05  # a repeat of a call arrives after others
    crash: float = 0.002
    disk_fault: float = 0.002
    worker_killed: float = 0.003
    frozen: float = 0.001
    cancelled: float = 0.1  # of submissions


CLEAR = Weather(0, 0, 0, 0, 0, 0, 0, 0, 0)


class World:
    """Everything, and what is known to have happened."""

    def __init__(self, seed: int, *, workers: int, steps: int, weather: Weather) -> None:
        self.seed = seed
        self.dice = random.Random(seed)
        self.weather = weather
        self.steps_left = steps
        self.steps = 0
        self.disk = SimulatedDisk()
        self.controller: FarmController | None = None
        self.accepted: dict[str, CommandRun] = {}
        self.cancelled: set[str] = set()
        self.crashes = 0
        self.delivered: Counter[int] = Counter()  # fences whose end was acknowledged
        self.stopping = False
        self._workers = [SimulatedWorker(self, f"w{number}") for number in range(workers)]

    async def live(self) -> None:
        """Let it all happen; AssertionError when a promise is broken."""
        async with asyncio.TaskGroup() as group:
            ruler = group.create_task(self._keep_controller())
            workers = [group.create_task(worker.live()) for worker in self._workers]
            while self.steps_left > 0:
                await self._people()
            self.weather = CLEAR
            await self._all_done()
            self.stopping = True
            for task in (*workers, ruler):
                task.cancel()
        self._check()

    # --- the network ---

    async def call(self, ask: Callable[[FarmController], Awaitable[_T]]) -> _T:
        """Carry a call to the controller and its answer back; ConnectionError when either is lost."""
        self.steps += 1
        self.steps_left -= 1
        dice, weather = self.dice, self.weather
        await asyncio.sleep(dice.choice([0.0001, 0.001, 0.01, 0.2 if weather is not CLEAR else 0.001]))
        if dice.random() < weather.lost_request or self.controller is None:
            await asyncio.sleep(dice.choice([0.01, 1.0, 5.0]))
            raise ConnectionError("the request was lost")
        if dice.random() < weather.repeated:
            asyncio.get_running_loop().call_later(dice.choice([0.0, 0.1, 3.0, 50.0]), self._repeat, ask)
        controller = self.controller
        answering = asyncio.ensure_future(ask(controller))
        crashed = asyncio.ensure_future(self._ledger.crashed.wait())
        try:
            await asyncio.wait([answering, crashed], return_when=asyncio.FIRST_COMPLETED)
        finally:  # a worker that dies meanwhile takes nothing back
            crashed.cancel()
        if not answering.done():
            answering.cancel()
            raise ConnectionError("the controller crashed")
        answer = answering.result()
        await asyncio.sleep(dice.choice([0.0001, 0.001, 0.01]))
        if dice.random() < weather.lost_answer:
            await asyncio.sleep(dice.choice([0.01, 1.0, 5.0]))
            raise ConnectionError("the answer was lost")
        return answer

    def _repeat(self, ask: Callable[[FarmController], Awaitable[object]]) -> None:
        async def again() -> None:
            if self.controller is not None and not self.stopping:
                try:
                    await asyncio.wait_for(ask(self.controller), 60)
                except (InfrastructureError, UserError, TimeoutError):
                    return

        asyncio.ensure_future(again())  # noqa: RUF006 - nobody waits for a call that was repeated by the network

    # --- the controller ---

    async def _keep_controller(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            self._ledger = SimulatedLedger(
                self.disk, self.dice, crash_share=self.weather.crash, fault_share=self.weather.disk_fault
            )
            # FarmController asks for no more of a ledger than this one has.
            controller = FarmController(
                self._ledger,  # type: ignore[arg-type] # one like it
                wall=lambda: loop.time() + 1e9,
                monotonic=loop.time,
                jobs_at_once=_JOBS_AT_ONCE,
            )
            await controller.open()
            self.controller = controller
            weather = self.weather
            while not self._ledger.crashed.is_set() and not (weather is not CLEAR and self.weather is CLEAR):
                await asyncio.sleep(0.05)
                self._ledger.check()
                self._check_memory(controller)
            self.controller = None
            if not self._ledger.crashed.is_set():
                await self._close(controller)
            if self._ledger.crashed.is_set():
                self.crashes += 1
                for task in (controller._ticking, controller._stopper, self._ledger._writing, *controller._graces):
                    if task is not None:
                        task.cancel()
            await asyncio.sleep(self.dice.choice([0.01, 1.0, 10.0]))

    async def _close(self, controller: FarmController) -> None:
        """Have the controller close, unless it crashes meanwhile."""
        closing = asyncio.ensure_future(controller.close())
        crashed = asyncio.ensure_future(self._ledger.crashed.wait())
        try:
            await asyncio.wait([closing, crashed], return_when=asyncio.FIRST_COMPLETED)
        finally:
            crashed.cancel()
        if not closing.done():
            closing.cancel()
        else:
            closing.result()

    # --- people ---

    async def _people(self) -> None:
        dice = self.dice
        await asyncio.sleep(dice.expovariate(0.5))
        waiting = sum(len(run.jobs) for run in self.accepted.values()) - sum(self.delivered.values())
        if waiting > 50 * len(self._workers):
            return
        run_id = f"run{len(self.accepted)}-{self.steps}"
        run = CommandRun(run_id=run_id, owner=dice.choice("abc"), stop_after=dice.choice([0, 0, 0, 3]), jobs=tuple(self._jobs()))
        for _ in range(50):
            try:
                await self.call(lambda controller: controller.submit_commands(run))
            except (ConnectionError, RecordError):
                continue
            self.accepted[run_id] = run
            break
        if run_id in self.accepted and dice.random() < self.weather.cancelled:
            await asyncio.sleep(dice.uniform(0, 30))
            try:
                await self.call(lambda controller: controller.cancel(run_id, "enough"))
            except (ConnectionError, RecordError, UserError):
                return
            self.cancelled.add(run_id)

    def _jobs(self) -> list[CommandJob]:
        dice = self.dice
        return [
            CommandJob(
                name=f"j{number}",
                command=("x",),
                retries=dice.choice([0, 0, 1, 2]),
                priority=dice.choice([0, 0, 0, 5]),
                key=f"k{number % 20}",
                requires=dice.choice([{}, {}, {"kvm": "yes"}]),
                limits=dice.choice([(), (), (), ("database",)]),
            )
            for number in range(dice.choice([1, 5, 40]) * (10 if len(self._workers) > 1000 else 1))
        ]

    async def _all_done(self) -> None:
        deadline = asyncio.get_running_loop().time() + 20_000
        while True:
            await asyncio.sleep(5)
            (left,) = self.disk.connection.execute(f"SELECT count(*) {_RUNS} AND runs.state = 'running'").fetchone()
            if not left:
                return
            assert asyncio.get_running_loop().time() < deadline, f"{left} runs never ended: {self._state()}"

    def _state(self) -> str:
        """Return what the controller has in mind, for whoever looks into a failure."""
        if self.controller is None:
            return "no controller"
        scheduler = self.controller._scheduler
        return "\n".join(
            [
                f"fault {self._ledger.fault!r}, pending {self._ledger._queue.has_changes}",
                *(
                    f"{run.run_id} {run.counts} cancelled={run.cancelled} unstopped={run.unstopped_from}"
                    for run in scheduler.runs.values()
                ),
                *(f"{status}" for status in scheduler.worker_statuses(now=asyncio.get_running_loop().time(), at=1e9)),
                f"{scheduler.usage._of_limit} {scheduler.queue.lanes()}",
            ]
        )

    # --- promises ---

    def _check_memory(self, controller: FarmController) -> None:
        scheduler = controller._scheduler
        for run in scheduler.runs.values():
            counts = run.counts
            finals = counts.passed + counts.failed + counts.cancelled + counts.infra
            assert counts.queued + counts.running + finals == counts.total
        held = sum(len(worker.in_hand) for worker in scheduler.workers.values())
        assert held <= len(scheduler._attempts)

    def _check(self) -> None:
        one = self.disk.connection.execute
        known = {run_id for (run_id,) in one(f"SELECT run_id {_RUNS}")}
        assert known >= set(self.accepted), "an accepted run is lost"
        (unfinished,) = one(
            f"SELECT count(*) {_RUNS} AND EXISTS (SELECT 1 FROM jobs WHERE jobs.run_key = runs.run_key AND decided_us IS NULL)"
        ).fetchone()
        assert unfinished == 0, "a job of a finished run has no end"
        (undecided,) = one(
            "SELECT count(*) FROM jobs WHERE state = 'done' AND 1 <> (SELECT count(*) FROM attempts WHERE"
            " attempts.run_key = jobs.run_key AND job_number = number AND decides)"
        ).fetchone()
        assert undecided == 0, "a job has not one deciding attempt"
        (unended,) = one("SELECT count(*) FROM attempts WHERE outcome IS NULL").fetchone()
        assert unended == 0, "an attempt has no end"
        (backwards,) = one(
            "SELECT count(*) FROM attempts a JOIN attempts b ON a.run_key = b.run_key AND a.job_number = b.job_number"
            " AND a.attempt < b.attempt AND a.fence >= b.fence"
        ).fetchone()
        assert backwards == 0, "fences do not grow"
        for run_id, state, counts, total in one(f"SELECT run_id, state, counts, total_jobs {_RUNS}"):
            parts = msgspec.json.decode(counts)
            assert parts["passed"] + parts["failed"] + parts["cancelled"] + parts["infra"] == total, run_id
            by_table = dict(
                one(
                    "SELECT coalesce(outcome, jobs.state), count(*) FROM jobs JOIN runs USING (run_key) WHERE run_id = ?"
                    " GROUP BY 1",
                    (run_id,),
                ).fetchall()
            )
            assert by_table.get("passed", 0) == parts["passed"], run_id
            assert by_table.get("cancelled", 0) == parts["cancelled"], run_id
            if run_id in self.cancelled:
                assert state in {"cancelled", "done"}
        for fence, times in self.delivered.items():
            assert times == 1, f"attempt {fence} was acknowledged {times} times"
            (kept,) = one("SELECT count(*) FROM attempts WHERE fence = ? AND outcome IS NOT NULL", (fence,)).fetchone()
            assert kept == 1, f"the acknowledged end of {fence} is not kept"


class SimulatedWorker:
    """A worker that keeps to the protocol, and dies or freezes now and then."""

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.name = name
        self._life = 0
        self._slots = world.dice.choice([1, 2, 8])
        self._dimensions = {"kvm": "yes"} if name == "w0" or world.dice.random() < 0.5 else {}

    async def live(self) -> None:
        """Live one life after the other."""
        while True:
            self._life += 1
            self._sequence = 0
            self._claims: dict[int, Claim] = {}
            self._running: dict[int, asyncio.Task[None]] = {}
            self._ends: list[AttemptEnd] = []
            self._begun: list[int] = []
            self._news = asyncio.Event()
            self._heard_at = asyncio.get_running_loop().time()
            tasks = [asyncio.create_task(self._listen()), asyncio.create_task(self._tell()), asyncio.create_task(self._fate())]
            try:
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                for task in tasks:
                    if task.done():
                        task.result()
            finally:
                for task in (*tasks, *self._running.values()):
                    task.cancel()
            await asyncio.sleep(self.world.dice.choice([0.1, 5.0, 60.0]))

    async def _fate(self) -> None:
        """Return when this life is over."""
        world = self.world
        while True:
            await asyncio.sleep(1.0)
            if world.dice.random() < world.weather.worker_killed:
                return

    async def _listen(self) -> None:
        while True:
            await self._say((), (), wait_s=RENEW_S)

    async def _tell(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            while self._ends or self._begun:
                ends, begun = tuple(self._ends), tuple(self._begun)
                if await self._say(ends, begun, wait_s=0.0):
                    self._ends = [end for end in self._ends if end not in ends]
                    self._begun = [fence for fence in self._begun if fence not in begun]

    async def _say(self, ends: tuple[AttemptEnd, ...], begun: tuple[int, ...], *, wait_s: float) -> bool:
        """Make one call; tell whether it was answered."""
        self._sequence += 1
        news = CommandNews(
            incarnation=f"{self.name}/{self._life}",
            sequence=self._sequence,
            slots=self._slots,
            free=self._slots,
            dimensions=self._dimensions,
            holding=tuple(fence for fence in self._claims if fence not in {end.fence for end in self._ends}),
            begun=begun,
            ended=ends,
            pieces=tuple(AttemptLogPiece(end.fence, 0, b"log") for end in ends),
        )
        exchange = Exchange(self.name, 0, wait_s=wait_s, commands=news)
        try:
            orders = await self.world.call(lambda controller: controller.exchange(exchange))
        except (ConnectionError, RecordError):
            await asyncio.sleep(self.world.dice.choice([0.05, 0.5]))
            self._forget_what_is_lost()
            return False
        self._heard_at = asyncio.get_running_loop().time()
        lost = self._obey(orders)
        for end in ends:
            self._claims.pop(end.fence, None)
            if end.fence not in lost:
                self.world.delivered[end.fence] += 1
        return True

    def _obey(self, orders: Orders) -> set[int]:
        commands = orders.commands
        assert commands is not None
        for claim in commands.claims:
            if claim.fence not in self._claims:
                self._claims[claim.fence] = claim
                self._running[claim.fence] = asyncio.create_task(self._run(claim))
        lost: set[int] = set()
        for stop in commands.stops:
            task = self._running.pop(stop.fence, None)
            if task is not None:
                task.cancel()
            if stop.reason is StopReason.LOST:
                lost.add(stop.fence)
                self._claims.pop(stop.fence, None)
                self._ends = [end for end in self._ends if end.fence != stop.fence]
            elif task is not None:
                self._ends.append(AttemptEnd(stop.fence, Outcome.CANCELLED, pieces=1))
                self._news.set()
        return lost

    def _forget_what_is_lost(self) -> None:
        """Stop all when the controller was not heard for a lease's time."""
        if asyncio.get_running_loop().time() - self._heard_at > LEASE_S:
            for fence, task in self._running.items():
                task.cancel()
                del self._claims[fence]  # not held any more, as the next call will say
            self._running.clear()

    async def _run(self, claim: Claim) -> None:
        dice = self.world.dice
        await asyncio.sleep(dice.choice([0.0, 0.1]))
        self._begun.append(claim.fence)
        self._news.set()
        took_s = dice.expovariate(1.0) if dice.random() < 0.95 else dice.uniform(10, 100)
        await asyncio.sleep(took_s)
        self._ends.append(AttemptEnd(claim.fence, dice.choice(_OUTCOMES), run_s=took_s, pieces=1))
        self._running.pop(claim.fence, None)
        self._news.set()
