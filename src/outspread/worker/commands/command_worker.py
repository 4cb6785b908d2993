"""The worker of command jobs: takes claims from a controller, has them carried, and tells what became of them.

Two calls share the port: one listens for what the controller wants (a long poll), one tells what happened as soon as something
has. Nothing waits for an answer to go on, and what was told is kept until it is acknowledged.
"""

import asyncio
import logging
import random
import secrets
import time
from collections.abc import Awaitable, Mapping
from pathlib import Path
from typing import Final

from msgspec import Struct

from outspread.controller.command_values import (
    LEASE_S,
    RENEW_S,
    CommandNews,
    CommandOrders,
    StopReason,
    WorkerHealth,
)
from outspread.controller.exchange_values import Exchange, Orders
from outspread.controller.port import WorkerPort
from outspread.errors import InfrastructureError, OutspreadError, UserError
from outspread.worker.commands.attempt_carrier import AttemptCarrier, CarrierOptions
from outspread.worker.commands.job_limits import USUAL_PROCESSES, JobLimits
from outspread.worker.commands.lease_clock import LeaseClock
from outspread.worker.commands.outbox import Draft, Item, Outbox
from outspread.worker.commands.output_collection import OutputLimits
from outspread.worker.commands.trees import Trees
from outspread.worker.commands.work_directories import WorkDirectories
from outspread.worker.commands.worker_health import HealthLimits, look

_log = logging.getLogger(__name__)

_NOTHING: Final = Draft(0, (), (), (), ())
#: How long a call listens, as a share of a lease: what a claim's lease has left, when it comes at the end of it, is enough.
_LISTEN_SHARE: Final = 2 / 3
#: How long a call may take beyond what it was to wait.
_ANSWER_WITHIN_S: Final = 15.0
#: A claim is confirmed within so much time, unless there is something else to say earlier.
_CONFIRM_WITHIN_S: Final = 0.5
_LOGS_EVERY_S: Final = 1.0
_HEALTH_EVERY_S: Final = 2.0
_FIRST_RETRY_S: Final = 0.1
_LONGEST_RETRY_S: Final = 5.0
#: How long the last words are tried to be told.
_LAST_WORDS_S: Final = 5.0


class CommandWorkerOptions(Struct, frozen=True):
    """``environment`` is what commands get under their own: without any secret of the worker's."""

    name: str
    slots: int
    directory: Path
    dimensions: Mapping[str, str] = {}
    environment: Mapping[str, str] = {}
    health: HealthLimits = HealthLimits()
    output_limits: OutputLimits = OutputLimits()
    job_limits: JobLimits = JobLimits(processes=USUAL_PROCESSES)
    lease_s: float = LEASE_S
    renew_s: float = RENEW_S


class CommandWorker:
    """Does the command jobs that ``port`` gives it, with inputs and outputs by way of ``trees``."""

    def __init__(self, port: WorkerPort, trees: Trees, options: CommandWorkerOptions) -> None:
        self._port = port
        self._trees = trees
        self._options = options
        self._incarnation = secrets.token_hex(8)
        self._sequence = 0
        self._outbox = Outbox()
        self._leases = LeaseClock(options.lease_s)
        self._health = WorkerHealth()
        self._known_hold = ""
        self._draining = False
        self._hurried = False
        self._leave = asyncio.Event()  # the work is over
        self._news = asyncio.Event()
        self._news_timer: asyncio.TimerHandle | None = None
        self._reached = False  # the controller has ever answered
        self._carrier: AttemptCarrier | None = None

    async def serve(self) -> None:
        """Work until ``drain`` has been called and all is done, or until cancelled; then what runs is stopped and given back.

        Raises UserError when the controller refuses this worker, InfrastructureError when the work directory cannot be used.
        """
        directories = WorkDirectories(self._options.directory)
        try:
            self._look_after_health(directories)
            async with asyncio.TaskGroup() as group:
                carrier = self._carrier = self._new_carrier(directories, group)
                roles = [
                    group.create_task(role)
                    for role in (
                        self._listen(),
                        self._tell(),
                        self._keep_time(),
                        self._keep_health(directories),
                        carrier.watch_disks(),
                        directories.serve(),
                    )
                ]
                try:
                    await self._until_over(carrier)
                finally:
                    for task in roles:
                        task.cancel()
                    await self._end(carrier)
        except ExceptionGroup as errors:
            first = errors.exceptions[0]
            if isinstance(first, OutspreadError):
                raise first from None
            raise
        finally:
            await directories.close()

    def drain(self) -> None:
        """Finish what has begun, give back what has not, and leave; the second time, give back all."""
        self._hurried = self._draining
        self._draining = True
        _log.info("draining", extra={"hurried": self._hurried})
        if self._carrier is not None:
            self._carrier.give_back(begun=self._hurried)
            if self._carrier.idle.is_set():
                self._leave.set()
        self._tell_within(0.0)

    @property
    def hold(self) -> str:
        """Why this worker takes no work; "" when it does."""
        return self._health.hold or (self._carrier.trouble if self._carrier is not None else "")

    def _new_carrier(self, directories: WorkDirectories, group: asyncio.TaskGroup) -> AttemptCarrier:
        own = self._options
        options = CarrierOptions(own.slots, own.environment, own.output_limits, own.job_limits)
        return AttemptCarrier(
            options,
            directories=directories,
            trees=self._trees,
            tell=self._put,
            heed_trouble=self._heed_hold,
            why_unfit=lambda: look(directories.path, self._options.health, held=False).hold,
            group=group,
        )

    async def _until_over(self, carrier: AttemptCarrier) -> None:
        await self._leave.wait()
        await carrier.idle.wait()

    async def _end(self, carrier: AttemptCarrier) -> None:
        """Stop what still runs, and say the last words."""
        await carrier.close()
        if not self._reached:
            return
        try:
            async with asyncio.timeout(_LAST_WORDS_S):
                await self._say_last_words()
        except TimeoutError:
            _log.warning("left unheard", extra={"items": len(self._outbox)})

    # --- what is told ---

    def _put(self, item: Item, within_s: float) -> None:
        self._outbox.add(item)
        self._tell_within(within_s)

    def _tell_within(self, delay_s: float) -> None:
        if delay_s <= 0:
            self._news.set()
        elif self._news_timer is None:
            self._news_timer = asyncio.get_running_loop().call_later(delay_s, self._news.set)

    async def _tell(self) -> None:
        """Tell what there is, and renew the leases when there is nothing."""
        failures = 0
        while True:
            await self._until_news()
            draft = self._outbox.draw()
            if await self._exchange(draft, wait_s=0.0):
                failures = 0
                self._outbox.acknowledge(draft)
                for fence in (*(end.fence for end in draft.ended), *draft.returned):
                    self._leases.drop(fence)
                if len(self._outbox):
                    self._news.set()
                elif self._draining and self._carrier is not None and self._carrier.idle.is_set():
                    self._leave.set()
            else:
                self._news.set()
                failures += 1
                await _back_off(failures)

    async def _until_news(self) -> None:
        try:
            async with asyncio.timeout(self._options.renew_s):
                await self._news.wait()
        except TimeoutError:
            pass  # then leases are renewed
        self._news.clear()
        if self._news_timer is not None:
            self._news_timer.cancel()
            self._news_timer = None

    async def _listen(self) -> None:
        failures = 0
        while True:
            if await self._exchange(_NOTHING, wait_s=_LISTEN_SHARE * self._options.lease_s):
                failures = 0
            else:
                failures += 1
                await _back_off(failures)

    async def _say_last_words(self) -> None:
        failures = 0
        while not await self._exchange(draft := self._outbox.draw(), wait_s=0.0, leaving=True):
            failures += 1
            await _back_off(failures)
        self._outbox.acknowledge(draft)
        if len(self._outbox):
            await self._say_last_words()

    # --- calls ---

    async def _exchange(self, draft: Draft, *, wait_s: float, leaving: bool = False) -> bool:
        """Make a call and do what is answered; return whether there was an answer."""
        holding = self._leases.fences()
        sent = time.monotonic()
        answer = await self._answer(self._port.exchange(self._call(draft, holding, wait_s=wait_s, leaving=leaving)), wait_s)
        if answer is None:
            return False
        orders = answer.commands or CommandOrders()
        self._obey(orders, holding, sent=sent)
        return True

    async def _answer(self, call: Awaitable[Orders], wait_s: float) -> Orders | None:
        try:
            async with asyncio.timeout(wait_s + _ANSWER_WITHIN_S):
                orders = await call
        except (InfrastructureError, OSError) as error:  # TimeoutError is one
            _log.warning("controller unreachable", extra={"reason": str(error) or "no answer"})
            return None
        except UserError as error:
            if not self._reached:
                raise
            _log.warning("controller refuses", extra={"reason": error.message})
            return None
        self._reached = True
        return orders

    def _call(self, draft: Draft, holding: tuple[int, ...], *, wait_s: float, leaving: bool) -> Exchange:
        self._sequence += 1
        slots = self._options.slots
        in_hand = self._carrier.in_hand if self._carrier is not None else 0
        return Exchange(
            self._options.name,
            0,
            wait_s=wait_s,
            commands=CommandNews(
                incarnation=self._incarnation,
                sequence=self._sequence,
                slots=slots,
                free=0 if self._draining or self.hold else max(0, slots - in_hand),
                dimensions=dict(self._options.dimensions),
                holding=holding,
                begun=draft.begun,
                pieces=draft.pieces,
                ended=draft.ended,
                returned=draft.returned,
                health=self._told_health(),
                draining=self._draining,
                leaving=leaving,
            ),
        )

    def _told_health(self) -> WorkerHealth:
        health = self._health
        hold = self.hold
        if hold == health.hold:
            return health
        return WorkerHealth(health.disk_free_bytes, health.memory_available_bytes, hold)

    def _obey(self, orders: CommandOrders, holding: tuple[int, ...], *, sent: float) -> None:
        carrier = self._carrier
        assert carrier is not None
        for stop in orders.stops:
            carrier.stop(stop.fence, stop.reason)
            if stop.reason is StopReason.LOST:
                self._leases.drop(stop.fence)
        carrier.renew(self._leases.renew(holding, sent=sent))
        carrier.watch(orders.watched)
        for claim in orders.claims:
            carrier.take(claim, self._leases.take(claim.fence, sent=sent))
        if orders.claims:
            if self._draining or self.hold:
                carrier.give_back(begun=False)
            self._tell_within(_CONFIRM_WITHIN_S)

    # --- the passing of time ---

    async def _keep_time(self) -> None:
        """Have logs told, and give up what the controller was not heard of for too long."""
        assert self._carrier is not None
        while True:
            await asyncio.sleep(_LOGS_EVERY_S)
            self._carrier.tell_logs()
            self._carrier.lapse(self._leases.lapsed(time.monotonic()))

    async def _keep_health(self, directories: WorkDirectories) -> None:
        while True:
            await asyncio.sleep(_HEALTH_EVERY_S)
            self._look_after_health(directories)

    def _look_after_health(self, directories: WorkDirectories) -> None:
        self._health = look(directories.path, self._options.health, held=bool(self._health.hold))
        self._heed_hold()

    def _heed_hold(self) -> None:
        """Give back what has not begun when there is a reason for it; tell when that has changed."""
        if self.hold != self._known_hold:
            self._known_hold = self.hold
            _log.warning("held" if self.hold else "hold is over", extra={"reason": self.hold})
            if self.hold and self._carrier is not None:
                self._carrier.give_back(begun=False)
            self._tell_within(0.0)


async def _back_off(failures: int) -> None:
    """Wait longer after each failure, and never as long as others do."""
    longest_s = min(_LONGEST_RETRY_S, _FIRST_RETRY_S * 2.0 ** min(failures, 10))
    await asyncio.sleep(random.uniform(longest_s / 2, longest_s))  # noqa: S311 - nobody has to be unable to guess it
