"""Carries attempts: gets their inputs, has their commands run, collects what they leave, and says what happened.

Knows no controller: what happened goes to ``tell``, what is wanted comes as calls. Short attempts pass through without a task of
their own.
"""

import asyncio
import logging
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import PurePath
from typing import Final

import msgspec
from msgspec import Struct

from outspread.controller.command_values import AttemptEnd, Claim, Isolation, StopReason
from outspread.controller.values import Outcome
from outspread.errors import InfrastructureError, OutspreadError, UserError
from outspread.store.errors import StoreRefusedError
from outspread.worker.commands.attempt_in_hand import AttemptInHand, Phase, Silence
from outspread.worker.commands.attempt_outcome import CommandEnd, outcome_of
from outspread.worker.commands.disk_use import written_bytes
from outspread.worker.commands.executor import messages
from outspread.worker.commands.executor.frames import Message
from outspread.worker.commands.job_limits import JobLimits
from outspread.worker.commands.outbox import Begun, Item, Returned
from outspread.worker.commands.output_collection import OutputLimits, collect_outputs
from outspread.worker.commands.output_globs import OutputGlobs
from outspread.worker.commands.sandboxed_command import failure_of, in_sandbox
from outspread.worker.commands.slot_board import SlotBoard
from outspread.worker.commands.slots import Slots
from outspread.worker.commands.trees import Trees
from outspread.worker.commands.work_directories import OUTPUTS, TREE, WorkDirectories

_log = logging.getLogger(__name__)

_FETCHES_AT_ONCE: Final = 4
_DISKS_EVERY_S: Final = 1.0
#: How soon it is told that one has begun, and what one prints: at once when somebody is looking.
_BEGUN_WITHIN_S: Final = 0.1
_PRINTED_WITHIN_S: Final = 1.0
_PRINTED_AT_ONCE_BYTES: Final = 256 * 1024
#: Ends are told together while there is work enough at hand: no slot waits for the answer then.
_ENDED_WITHIN_S: Final = 0.02
#: How much the last command counts in what the next one is expected to take.
_LATEST_COUNTS: Final = 0.2


class CarrierOptions(Struct, frozen=True):
    slots: int
    environment: Mapping[str, str]  # of commands, under their own
    output_limits: OutputLimits = OutputLimits()
    job_limits: JobLimits = JobLimits()


class AttemptCarrier:
    """``tell(item, within_s)`` takes what is to be told; ``why_unfit()`` says what the machine lacks;
    ``heed_trouble()`` is called when ``trouble`` has changed.
    """

    def __init__(
        self,
        options: CarrierOptions,
        *,
        directories: WorkDirectories,
        trees: Trees,
        tell: Callable[[Item, float], None],
        heed_trouble: Callable[[], None],
        why_unfit: Callable[[], str],
        group: asyncio.TaskGroup,
    ) -> None:
        self._options = options
        self._directories = directories
        self._trees = trees
        self._tell = tell
        self._heed_trouble = heed_trouble
        self._why_unfit = why_unfit
        self._group = group
        self._loop = asyncio.get_running_loop()
        self._slots = Slots(options.environment, self._hear)
        self._board = SlotBoard(options.slots)
        self._attempts: dict[int, AttemptInHand] = {}
        self._fetching = asyncio.Semaphore(_FETCHES_AT_ONCE)
        self._dispatching = False
        self._usual_s = 1.0  # what commands took lately
        self._unlogged: set[int] = set()  # attempts that have printed what is not told yet
        self._stuck: dict[int, int] = {}  # slot -> process
        self.idle = asyncio.Event()  # nothing is in hand
        self.idle.set()

    @property
    def in_hand(self) -> int:
        return len(self._attempts)

    @property
    def trouble(self) -> str:
        """Why this machine should get no work; "" for no reason."""
        for slot, pid in self._stuck.items():
            return f"process {pid} of slot {slot} cannot be ended"
        return ""

    # --- what is wanted ---

    def take(self, claim: Claim, deadline: float) -> None:
        """Begin to carry an attempt; one that is known already is not begun again."""
        if claim.fence in self._attempts:
            return
        directory = self._directories.path / str(claim.fence)
        try:
            attempt = AttemptInHand(claim, deadline, directory, self._options.job_limits)
        except msgspec.MsgspecError as error:
            self._tell(AttemptEnd(claim.fence, Outcome.INFRA, reason=f"cannot read the job: {error}"), 0.0)
            return
        self._attempts[attempt.fence] = attempt
        self.idle.clear()
        job = attempt.job
        if job.inputs or job.outputs or job.directory or job.isolation is not Isolation.NONE:
            attempt.phase = Phase.FETCHING
            attempt.task = self._group.create_task(self._prepare(attempt))
        else:
            self._await_slot(attempt)

    def renew(self, deadlines: Mapping[int, float]) -> None:
        """Let attempts go on until then."""
        by_slot: dict[int, dict[int, float]] = {}
        for fence, deadline in deadlines.items():
            if (attempt := self._attempts.get(fence)) is not None:
                attempt.deadline = deadline
                if (slot := self._board.place_of(fence)) is not None:
                    by_slot.setdefault(slot, {})[fence] = deadline
        for slot, renewed in by_slot.items():
            self._slots.tell_open((slot,), (messages.LEASE, renewed))

    def stop(self, fence: int, reason: StopReason) -> None:
        """Stop an attempt: with an end that is told, or without a word."""
        attempt = self._attempts.get(fence)
        if attempt is None:
            return
        if reason is StopReason.LOST:
            self._silence(attempt, Silence.LOST)
        elif not attempt.cancelled:
            attempt.cancelled = True
            if attempt.phase is Phase.RUNNING or self._board.place_of(fence) is not None:
                self._send_stop(attempt, gently=True)
            else:
                self._drop(attempt)

    def give_back(self, *, begun: bool) -> None:
        """Give back what has not begun; with ``begun`` all."""
        for attempt in tuple(self._attempts.values()):
            if begun or attempt.phase in {Phase.FETCHING, Phase.READY}:
                self._silence(attempt, Silence.RETURNED)

    def lapse(self, fences: Iterable[int]) -> None:
        """Give up attempts whose leases have run out; what runs is stopped by its slot at that time by itself."""
        for fence in fences:
            attempt = self._attempts.get(fence)
            if attempt is not None and attempt.phase is not Phase.RUNNING and self._board.place_of(fence) is None:
                self._silence(attempt, Silence.RETURNED)

    def watch(self, fences: Iterable[int]) -> None:
        """Tell at once what these print."""
        watched = frozenset(fences)
        for fence in watched & self._unlogged:
            self._tell_log(self._attempts[fence], 0.0)
        for attempt in self._attempts.values():
            attempt.watched = attempt.fence in watched

    def tell_logs(self) -> None:
        """Tell all that was printed and is not told yet."""
        for fence in tuple(self._unlogged):
            self._tell_log(self._attempts[fence], 0.0)

    async def watch_disks(self) -> None:
        """Stop commands that write more than they may, until cancelled."""
        while True:
            await asyncio.sleep(_DISKS_EVERY_S)
            for attempt in [each for each in self._attempts.values() if each.limits.disk_bytes and each.phase is Phase.RUNNING]:
                most = attempt.limits.disk_bytes + 1
                if await asyncio.to_thread(written_bytes, attempt.directory, enough_bytes=most) >= most:
                    attempt.disk_full = True
                    self._send_stop(attempt, gently=False)

    async def close(self) -> None:
        """Stop all at once, give it back, and return when nothing of it runs any more."""
        self.tell_logs()
        await self._slots.close()
        for attempt in tuple(self._attempts.values()):
            if attempt.silence is None:
                attempt.silence = Silence.RETURNED
            self._drop(attempt)

    # --- before the command ---

    async def _prepare(self, attempt: AttemptInHand) -> None:
        began = time.monotonic()
        try:
            async with self._fetching:
                await self._make_tree(attempt)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with one attempt, the others go on
            self._end(attempt, _blame(error), _told(error))
            return
        attempt.fetch_s = time.monotonic() - began
        attempt.task = None
        self._await_slot(attempt)

    async def _make_tree(self, attempt: AttemptInHand) -> None:
        job, tree = attempt.job, attempt.directory / TREE
        if PurePath(job.directory).is_absolute() or ".." in PurePath(job.directory).parts:
            raise UserError(f"cannot start in {job.directory!r}: it is not in the work tree")
        attempt.prepared = True
        try:
            attempt.directory.mkdir(mode=0o700)
            if not job.inputs:
                (tree / job.directory).mkdir(parents=True)
        except OSError as error:
            raise InfrastructureError(f"cannot make a work tree: {error.strerror}") from error
        if job.inputs:
            attempt.release = await self._trees.materialise(job.inputs, tree, writable=job.writable)
        if job.directory and not await asyncio.to_thread((tree / job.directory).is_dir):
            raise UserError(f"cannot start in {job.directory!r}: there is no such directory in the work tree")

    def _await_slot(self, attempt: AttemptInHand) -> None:
        attempt.phase = Phase.READY
        expected_s = min(self._usual_s, attempt.claim.expected_s or self._usual_s)
        self._board.add(attempt.fence, expected_s=expected_s)
        self._dispatch_soon()

    def _dispatch_soon(self) -> None:
        """Give slots work when all that happened at once has been dealt with."""
        if not self._dispatching:
            self._dispatching = True
            self._loop.call_soon(self._dispatch)

    def _dispatch(self) -> None:
        self._dispatching = False
        orders: dict[int, list[Message]] = {}
        for slot, fence in self._board.hand_out():
            orders.setdefault(slot, []).append(self._order(self._attempts[fence]))
        for slot, order in orders.items():
            try:
                self._slots.send(slot, order)
            except InfrastructureError as error:
                for fence in self._board.given(slot):
                    self._end(self._attempts[fence], Outcome.INFRA, error.message)
        for slot, fence in self._board.recall():
            self._slots.tell_open((slot,), (messages.RECALL, fence))

    def _order(self, attempt: AttemptInHand) -> Message:
        job, claim = attempt.job, attempt.claim
        environment = {
            **{name.encode(): value.encode() for name, value in job.environment.items()},
            b"OUTSPREAD_RUN": claim.run_id.encode(),
            b"OUTSPREAD_JOB": job.name.encode(),
            b"OUTSPREAD_ATTEMPT": attempt.attempt_id.encode(),
        }
        directory, argv = str(attempt.directory), job.command
        if attempt.prepared:
            directory = os.path.join(directory, TREE, job.directory)  # noqa: PTH118 - a Path each costs more than the rest of this
            if job.isolation is Isolation.SANDBOX:
                argv = in_sandbox(argv, attempt.directory, attempt.directory / TREE, job.directory, image=job.image)
        make, limits = not attempt.prepared, attempt.limits
        return (
            messages.RUN, attempt.fence, argv, environment, directory, make, job.timeout_s, job.grace_s, attempt.deadline,
            (limits.memory_bytes, limits.processes, limits.disk_bytes),
        )  # fmt: skip

    # --- the command ---

    def _hear(self, slot: int, said: Sequence[Message]) -> None:
        if not said:
            self._lose_slot(slot)
        for message in said:
            word = message[0]
            if word == messages.STUCK:
                self._stuck[slot] = message[1]
                self._board.set_usable(slot, usable=False)
                self._call_back(slot)
                self._heed_trouble()
            elif word == messages.FREE:
                self._stuck.pop(slot, None)
                self._board.set_usable(slot, usable=True)
                self._heed_trouble()
            elif (attempt := self._attempts.get(message[1])) is not None:
                self._hear_of(attempt, slot, message)
        self._dispatch_soon()

    def _hear_of(self, attempt: AttemptInHand, slot: int, message: Message) -> None:
        match message:
            case (messages.PIECE, _, skipped_bytes, data):
                self._print(attempt, data, skipped_bytes)
            case (messages.ENDED, _, *fields):
                self._command_ended(attempt, CommandEnd(*fields))
            case (messages.BEGUN, _):
                attempt.phase = Phase.RUNNING
                if attempt.silence is None:
                    self._tell(Begun(attempt.fence), _BEGUN_WITHIN_S)
                self._board.takes_long(slot, attempt.fence)
            case (messages.RECALLED, _):
                self._called_back(attempt)

    def _print(self, attempt: AttemptInHand, data: bytes, skipped_bytes: int) -> None:
        if attempt.silence is not None:
            return
        for piece in attempt.print(data, skipped_bytes):
            self._tell(piece, _PRINTED_WITHIN_S)
        self._unlogged.add(attempt.fence)
        if attempt.watched or len(attempt.log) >= _PRINTED_AT_ONCE_BYTES:
            self._tell_log(attempt, 0.0)

    def _tell_log(self, attempt: AttemptInHand, within_s: float) -> None:
        self._unlogged.discard(attempt.fence)
        for piece in attempt.take_log():
            self._tell(piece, within_s)

    def _call_back(self, slot: int) -> None:
        """Let others begin what waits in a slot."""
        for fence in reversed(self._board.given(slot)):
            self._slots.tell_open((slot,), (messages.RECALL, fence))

    def _called_back(self, attempt: AttemptInHand) -> None:
        if attempt.silence is not None or attempt.cancelled:
            self._drop(attempt)
        else:
            self._board.put_back(attempt.fence)

    def _lose_slot(self, slot: int) -> None:
        self._stuck.pop(slot, None)
        self._board.set_usable(slot, usable=True)
        for fence in self._board.given(slot):
            attempt = self._attempts[fence]
            if attempt.silence is not None:
                self._drop(attempt)
            else:
                self._end(attempt, Outcome.INFRA, "the process that ran its command was killed")

    def _command_ended(self, attempt: AttemptInHand, end: CommandEnd) -> None:
        self._usual_s += (end.run_s - self._usual_s) * _LATEST_COUNTS
        self._board.remove(attempt.fence)
        attempt.prepared = not end.directory_gone  # what is left there is to be removed
        if attempt.silence is not None:
            self._drop(attempt)
        elif attempt.job.isolation is Isolation.SANDBOX and (failure := failure_of(attempt.directory)):
            self._end(attempt, Outcome.INFRA, failure)
        elif attempt.job.outputs and end.ending not in {messages.STOPPED, messages.LAPSED, messages.UNSPAWNABLE}:
            attempt.phase = Phase.COLLECTING
            attempt.task = self._group.create_task(self._collect(attempt, end))
        else:
            self._conclude(attempt, end)

    # --- after the command ---

    async def _collect(self, attempt: AttemptInHand, end: CommandEnd) -> None:
        began = time.monotonic()
        into = attempt.directory / OUTPUTS
        outputs = ""
        try:
            globs = OutputGlobs.parse(attempt.job.outputs)
            collected = await asyncio.to_thread(
                collect_outputs, attempt.directory / TREE, globs, into, self._options.output_limits
            )
            if collected.files or collected.remark:
                outputs = await self._trees.upload(into)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with one attempt, the others go on
            self._end(attempt, _blame(error), _told(error))
            return
        self._conclude(attempt, end, outputs=outputs, remark=collected.remark, collect_s=time.monotonic() - began)

    def _conclude(
        self, attempt: AttemptInHand, end: CommandEnd, *, outputs: str = "", remark: str = "", collect_s: float = 0.0
    ) -> None:
        """Tell how the command ended."""
        outcome, reason = outcome_of(end, timeout_s=attempt.job.timeout_s, limits=attempt.limits)
        if attempt.disk_full and end.ending == messages.STOPPED and not attempt.cancelled:
            outcome, reason = Outcome.FAILED, attempt.limits.met_disk()
        if outcome is Outcome.FAILED and (unfit := self._why_unfit()):
            outcome, reason = Outcome.INFRA, f"{reason}, while its worker had {unfit}"
        remarks = [remark for remark in (end.remark if end.remark != reason else "", remark) if remark]
        self._tell_end(
            attempt,
            AttemptEnd(
                attempt.fence,
                outcome,
                run_s=end.run_s,
                fetch_s=attempt.fetch_s,
                collect_s=collect_s,
                exit_code=end.exit_code,
                signal=end.signal,
                reason=reason,
                outputs=outputs,
                remark="; ".join(remarks),
            ),
        )

    def _end(self, attempt: AttemptInHand, outcome: Outcome, reason: str) -> None:
        """Tell an end that is none of the command's."""
        self._tell_end(attempt, AttemptEnd(attempt.fence, outcome, fetch_s=attempt.fetch_s, reason=reason))

    def _tell_end(self, attempt: AttemptInHand, end: AttemptEnd) -> None:
        self._tell_log(attempt, _PRINTED_WITHIN_S)
        within_s = _ENDED_WITHIN_S if len(self._attempts) > 2 * self._options.slots else 0.0
        self._tell(msgspec.structs.replace(end, pieces=attempt.pieces) if attempt.pieces else end, within_s)
        if _log.isEnabledFor(logging.INFO):
            told = {"attempt": attempt.attempt_id, "job": attempt.job.name, "outcome": str(end.outcome), "reason": end.reason}
            _log.info("attempt ended", extra={**told, "run_s": round(end.run_s, 3)})
        self._forget(attempt)

    # --- without an end ---

    def _silence(self, attempt: AttemptInHand, silence: Silence) -> None:
        if attempt.silence is not Silence.LOST:
            attempt.silence = silence
        if self._board.place_of(attempt.fence) is not None:
            self._send_stop(attempt, gently=False)
        else:
            self._drop(attempt)

    def _send_stop(self, attempt: AttemptInHand, *, gently: bool) -> None:
        slot = self._board.place_of(attempt.fence)
        if slot is not None:
            self._slots.tell_open((slot,), (messages.STOP, attempt.fence, gently))

    def _drop(self, attempt: AttemptInHand) -> None:
        """Be done with an attempt that is stopped and of which nothing runs."""
        if attempt.silence is None:
            self._end(attempt, Outcome.CANCELLED, "cancelled")
            return
        if attempt.silence is Silence.RETURNED:
            self._tell(Returned(attempt.fence), 0.0)
        _log.info("attempt dropped", extra={"attempt": attempt.attempt_id, "why": attempt.silence.name.lower()})
        self._forget(attempt)

    def _forget(self, attempt: AttemptInHand) -> None:
        del self._attempts[attempt.fence]
        self._board.remove(attempt.fence)
        self._unlogged.discard(attempt.fence)
        if attempt.task is not None:
            if attempt.task is not asyncio.current_task():
                attempt.task.cancel()
            attempt.task.add_done_callback(lambda _: self._leave(attempt))
        else:
            self._leave(attempt)
        if not self._attempts:
            self.idle.set()

    def _leave(self, attempt: AttemptInHand) -> None:
        """Give back what an attempt had on this machine."""
        if attempt.release is not None:
            attempt.release()
        if attempt.prepared:
            self._directories.give_back(attempt.directory)


def _blame(error: Exception) -> Outcome:
    """Return what an attempt came to that went wrong outside of its command: what its job asks for may be at fault."""
    of_the_job = isinstance(error, UserError) and not isinstance(error, StoreRefusedError)
    return Outcome.FAILED if of_the_job else Outcome.INFRA


def _told(error: Exception) -> str:
    """Return why an attempt came to nothing; what nobody has foreseen is logged whole."""
    if isinstance(error, OutspreadError):
        return error.message
    _log.error("attempt broken", exc_info=error)
    return f"its worker failed: {error!r}"
