"""The record of a simulated controller: the real tables and the real SQL in memory, commits that take time, fail, or never end.

A crash comes before or after a commit: what was not committed is gone, and whoever waited is never answered.
"""

import asyncio
import random
import sqlite3
from collections.abc import Callable, Sequence
from typing import TypeVar

from outspread.controller.attempt_logs import AttemptLogs, LogPiece
from outspread.controller.farm.commit_queue import CommitQueue, RecordError
from outspread.controller.farm.farm_changes import FarmChange
from outspread.controller.farm.farm_recorder import FarmRecorder
from outspread.controller.farm.latencies import Latencies
from outspread.controller.farm.saved_state import SavedHold, SavedRun, read_holds, read_unfinished
from outspread.controller.schema_upgrade import bring_up_to_date

_Read = TypeVar("_Read")


class MemoryLogs(AttemptLogs):
    """Log files that are no files."""

    def __init__(self) -> None:
        self.runs: dict[str, bytearray] = {}

    def append_bytes(self, run_id: str, data: bytes) -> LogPiece:
        log = self.runs.setdefault(run_id, bytearray())
        log += data
        return LogPiece(len(log) - len(data), len(data))

    def read(self, run_id: str, piece: LogPiece) -> bytes:
        return bytes(self.runs.get(run_id, b"")[piece.offset : piece.offset + piece.size_bytes])

    def sync(self) -> None:
        pass

    def finish(self, run_id: str) -> None:
        pass

    def remove(self, run_id: str) -> None:
        self.runs.pop(run_id, None)


class SimulatedDisk:
    """What outlives a crash."""

    def __init__(self) -> None:
        self.connection = sqlite3.connect(":memory:", isolation_level=None)
        self.connection.execute("PRAGMA foreign_keys = ON")
        bring_up_to_date(self.connection)
        self.logs = MemoryLogs()
        self.epoch = 0


class SimulatedLedger:
    """As FarmLedger, on a simulated disk. ``crash`` is called at crash points that the dice choose; it does not return."""

    def __init__(self, disk: SimulatedDisk, dice: random.Random, *, crash_share: float, fault_share: float) -> None:
        self._disk = disk
        self._dice = dice
        self._crash_share = crash_share
        self._fault_share = fault_share
        self._recorder = FarmRecorder(disk.connection, disk.logs, "simulated")
        self._queue: CommitQueue[FarmChange, asyncio.Future[None]] = CommitQueue()
        self._writing: asyncio.Task[None] | None = None
        self.crashed = asyncio.Event()
        self.commits = 0
        self.latencies = Latencies()
        disk.epoch += 1
        self.epoch = disk.epoch

    async def open(self, next_sequence: int) -> tuple[list[SavedRun], list[SavedHold]]:
        self._recorder.tidy(0.0)  # nobody is held here
        saved = read_unfinished(self._disk.connection, next_sequence)
        for run in saved:
            self._recorder.run_keys[run.state.run_id] = run.run_key
        return saved, read_holds(self._disk.connection)

    @property
    def fault(self) -> str:
        return self._queue.fault

    def record(self, changes: Sequence[FarmChange]) -> None:
        self._queue.add(changes)

    async def record_or_withdraw(self, changes: Sequence[FarmChange]) -> None:
        self.record(changes)
        while True:
            try:
                await self.settle()
            except RecordError:
                if self._queue.withdraw(changes):
                    raise
                continue
            return

    async def settle(self) -> None:
        waiter = asyncio.get_running_loop().create_future()
        if not self._queue.wait(waiter):
            return
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write())
        await waiter

    async def read(self, query: Callable[[sqlite3.Connection, AttemptLogs], _Read]) -> _Read:
        await asyncio.sleep(0)
        return query(self._disk.connection, self._disk.logs)

    def check(self) -> None:
        """Raise what went wrong in writing: nothing may but what the dice want."""
        if self._writing is not None and self._writing.done() and not self._writing.cancelled():
            self._writing.result()

    async def close(self) -> None:
        if self._writing is not None:
            self._writing.cancel()

    async def _write(self) -> None:
        while self._queue.has_waiters:
            batch = self._queue.take()
            await asyncio.sleep(self._dice.choice([0.0002, 0.001, 0.02]))
            await self._maybe_crash()
            if self._dice.random() < self._fault_share:
                for waiter in self._queue.failed(batch, "no space left"):
                    if not waiter.done():
                        waiter.set_exception(RecordError("cannot write: no space left"))
                await asyncio.sleep(1.0)
                continue
            keys = dict(self._recorder.run_keys)
            self._disk.connection.execute("BEGIN")
            try:
                self._recorder.apply(batch.changes)
                self._disk.connection.execute("COMMIT")
            except BaseException:
                self._recorder.run_keys = keys
                self._disk.connection.execute("ROLLBACK")
                raise
            self._recorder.committed()
            self.commits += 1
            await self._maybe_crash()
            self._queue.succeeded()
            for waiter in batch.waiters:
                if not waiter.done():
                    waiter.set_result(None)

    async def _maybe_crash(self) -> None:
        if self._dice.random() < self._crash_share:
            self.crashed.set()
            await asyncio.get_running_loop().create_future()  # a crashed process does nothing any more
