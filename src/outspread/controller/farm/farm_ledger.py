"""The record of a farm in SQLite: one writer thread with group commit, and a few threads that read.

The tables are the truth. What cannot be written is tried again and holds everything else back: whoever waits for it is told, no
more work is handed out, and when there is room again the record goes on where it stopped. Only one process writes: its epoch
stands in ``cells``, and finding another there ends the ledger.
"""

import asyncio
import contextlib
import fcntl
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, TypeVar

from outspread.controller.attempt_logs import AttemptLogs
from outspread.controller.farm.commit_queue import Batch, CommitQueue, RecordError
from outspread.controller.farm.farm_changes import FarmChange
from outspread.controller.farm.farm_recorder import FarmRecorder
from outspread.controller.farm.latencies import Latencies
from outspread.controller.farm.saved_state import SavedHold, SavedRun, read_holds, read_unfinished
from outspread.controller.process_mark import own_mark
from outspread.controller.record_changes import microseconds
from outspread.controller.schema_upgrade import bring_up_to_date
from outspread.errors import InfrastructureError

_Read = TypeVar("_Read")

_BUSY_S: Final = 5.0
#: How long after a failed commit the next is tried.
_AGAIN_S: Final = 1.0
_READERS: Final = 4


class FarmLedger:
    """The ledger in ``directory``/state.db, with the logs beside it. For use in one event loop; to be opened first."""

    def __init__(self, directory: Path, *, cell: str = "farm", wall: Callable[[], float]) -> None:
        self._directory = directory
        self._path = directory / "state.db"
        self._cell = cell
        self._wall = wall
        self._lock: int | None = None
        self._connection: sqlite3.Connection | None = None
        self._recorder: FarmRecorder | None = None
        self._logs = AttemptLogs(directory / "logs")
        self._read_logs = AttemptLogs(directory / "logs")
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="outspread-read")
        self._reading = threading.local()
        self.epoch = 0
        # Guarded by the condition:
        self._wake = threading.Condition()
        self._queue: CommitQueue[FarmChange, asyncio.Future[None]] = CommitQueue()
        self._closing = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ended: asyncio.Future[str] | None = None  # with the reason, when nothing can be written any more
        self._thread: threading.Thread | None = None
        self.commits = 0
        self.latencies = Latencies()  # of commits

    async def open(self, next_sequence: int) -> tuple[list[SavedRun], list[SavedHold]]:
        """Take the cell and return what was left unfinished; InfrastructureError when another process has it."""
        self._loop = asyncio.get_running_loop()
        self._ended = self._loop.create_future()
        saved = await self._loop.run_in_executor(self._readers, self._open_here, next_sequence)
        self._thread = threading.Thread(target=self._write_all, name="outspread-farm-ledger", daemon=True)
        self._thread.start()
        return saved

    @property
    def fault(self) -> str:
        """Why nothing can be written now; empty when all is well."""
        return self._queue.fault

    async def until_broken(self) -> None:
        """Raise InfrastructureError as soon as nothing can be written any more, ever."""
        assert self._ended is not None
        fault = await asyncio.shield(self._ended)
        raise InfrastructureError(f"cannot go on with the record in {self._directory}: {fault}")

    def record(self, changes: Sequence[FarmChange]) -> None:
        """Take changes to be written. Returns at once."""
        with self._wake:
            self._queue.add(changes)

    async def record_or_withdraw(self, changes: Sequence[FarmChange]) -> None:
        """Write changes durably, or none of them: RecordError when they cannot be written now."""
        self.record(changes)
        while True:
            try:
                await self.settle()
            except RecordError:
                with self._wake:
                    if self._queue.over or self._queue.withdraw(changes):
                        raise
                continue  # they are being written just now
            return

    async def settle(self) -> None:
        """Wait until all that was recorded so far is durable. Raises RecordError when it cannot be written now."""
        with self._wake:
            if self._queue.over:
                raise RecordError(f"cannot write the record in {self._directory}: {self._queue.over}")
            waiter = asyncio.get_running_loop().create_future()
            if not self._queue.wait(waiter):
                return
            self._wake.notify()
        await waiter

    async def read(self, query: Callable[[sqlite3.Connection, AttemptLogs], _Read]) -> _Read:
        """Return what ``query`` finds; InfrastructureError when the tables cannot be read."""
        if self._closing:
            raise RecordError(f"cannot read the record in {self._directory}: the controller has stopped")
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._read_here, query)

    async def close(self) -> None:
        """Write what is left, and give the cell up."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join)
        await asyncio.to_thread(self._readers.shutdown)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    # --- in threads ---

    def _open_here(self, next_sequence: int) -> tuple[list[SavedRun], list[SavedHold]]:
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = os.open(self._directory / "controller.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            connection = _connect(self._path)
            self._path.chmod(0o600)
            connection.execute("PRAGMA journal_mode = WAL")
            bring_up_to_date(connection)
            self.epoch = self._take_cell(connection)
            recorder = FarmRecorder(connection, self._logs, own_mark())
            recorder.tidy(self._wall())
            saved = read_unfinished(connection, next_sequence)
            holds = read_holds(connection)
        except BlockingIOError:
            raise InfrastructureError(f"cannot open the record in {self._directory}: another controller has it") from None
        except (sqlite3.Error, OSError) as error:
            raise InfrastructureError(f"cannot open the record in {self._directory}: {error}") from error
        self._connection = connection
        self._recorder = recorder
        for run in saved:
            recorder.run_keys[run.state.run_id] = run.run_key
        return saved, holds

    def _take_cell(self, connection: sqlite3.Connection) -> int:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(
            "INSERT INTO cells (cell, epoch, owner, taken_us) VALUES (?, 1, ?, ?) ON CONFLICT (cell)"
            " DO UPDATE SET epoch = epoch + 1, owner = excluded.owner, taken_us = excluded.taken_us",
            (self._cell, own_mark(), microseconds(self._wall())),
        )
        (epoch,) = connection.execute("SELECT epoch FROM cells WHERE cell = ?", (self._cell,)).fetchone()
        connection.execute("COMMIT")
        return int(epoch)

    def _write_all(self) -> None:
        assert self._connection is not None
        with contextlib.closing(self._connection), contextlib.closing(self._logs):
            while (batch := self._next_batch()) is not None:
                self._write_or_wait(batch)

    def _next_batch(self) -> Batch[FarmChange, asyncio.Future[None]] | None:
        with self._wake:
            self._wake.wait_for(lambda: self._queue.has_waiters or self._closing, timeout=_AGAIN_S)
            if self._closing and not self._queue.has_changes and not self._queue.has_waiters:
                return None
            return self._queue.take()

    def _write_or_wait(self, batch: Batch[FarmChange, asyncio.Future[None]]) -> None:
        """Write a batch; when that fails, leave it as the first to be written next."""
        fault, for_good = "", False
        cause: Exception | None = None
        try:
            if batch.changes:
                self._write(batch.changes)
        except InfrastructureError as error:
            fault, for_good = error.message, True
        except (sqlite3.OperationalError, OSError) as error:
            # When closing, what was not acknowledged is not lost: it will be said again.
            fault, for_good, cause = str(error), self._closing, error
        except Exception as error:  # noqa: BLE001 - our own mistake, which no other try can mend
            # The next controller begins with what the tables hold.
            fault, for_good, cause = f"{type(error).__name__}: {error}", True, error
        with self._wake:
            if fault:
                waiters = self._queue.failed(batch, fault, for_good=for_good)
            else:
                waiters = batch.waiters
                self._queue.succeeded()
        told = RecordError(f"cannot write the record in {self._directory}: {fault}") if fault else None
        if told is not None:
            told.__cause__ = cause  # a full disk is told apart by it
        self._tell(waiters, told)
        if for_good and not self._closing:
            self._end(fault)
        if fault and not for_good:
            threading.Event().wait(_AGAIN_S)

    def _write(self, changes: Sequence[FarmChange]) -> None:
        assert self._connection is not None
        assert self._recorder is not None
        keys = dict(self._recorder.run_keys)
        began = time.monotonic()
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            self._check_epoch(self._connection)
            self._recorder.apply(changes)
            self._logs.sync()
            self._connection.execute("COMMIT")
        except BaseException:
            self._recorder.run_keys = keys
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise
        self.commits += 1
        self.latencies.note(time.monotonic() - began)
        with contextlib.suppress(OSError):  # a file is left: no reason to write again what is durable
            self._recorder.committed()

    def _check_epoch(self, connection: sqlite3.Connection) -> None:
        row = connection.execute("SELECT epoch FROM cells WHERE cell = ?", (self._cell,)).fetchone()
        if row is None or row[0] != self.epoch:
            raise InfrastructureError("another controller has taken over")

    def _tell(self, waiters: Sequence[asyncio.Future[None]], error: RecordError | None) -> None:
        if not waiters:
            return
        assert self._loop is not None
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is left to be told
            self._loop.call_soon_threadsafe(_release, waiters, error)

    def _end(self, fault: str) -> None:
        assert self._loop is not None
        assert self._ended is not None
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is left to be told
            self._loop.call_soon_threadsafe(_settle, self._ended, fault)

    def _read_here(self, query: Callable[[sqlite3.Connection, AttemptLogs], _Read]) -> _Read:
        try:
            connection: sqlite3.Connection | None = getattr(self._reading, "connection", None)
            if connection is None:
                connection = self._reading.connection = _connect(self._path)
            return query(connection, self._read_logs)
        except (sqlite3.Error, OSError) as error:
            raise InfrastructureError(f"cannot read the record in {self._directory}: {error}") from error


def _settle(future: asyncio.Future[str], result: str) -> None:
    if not future.done():
        future.set_result(result)


def _release(waiters: Sequence[asyncio.Future[None]], error: RecordError | None) -> None:
    for waiter in waiters:
        if waiter.done():
            continue
        if error is None:
            waiter.set_result(None)
        else:
            waiter.set_exception(error)


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    return connection
