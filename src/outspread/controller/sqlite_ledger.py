"""The record in SQLite: one writer thread with group commit, and a connection of its own for each reading.

Whatever goes wrong with the file, the run goes on: the ledger gives up once, says so once, and takes no more. Changes wait up to
20 ms for company, so that a busy run commits 50 times a second at most; whoever waits for them makes them go at once.
"""

import asyncio
import contextlib
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, TypeVar

from outspread.controller.attempt_logs import AttemptLogs
from outspread.controller.changes import AttemptEnded, Change, RunEnded
from outspread.controller.merged_moves import merged_moves
from outspread.controller.process_mark import own_mark
from outspread.controller.read_record import read_durations, read_history, read_log, read_machines, read_run
from outspread.controller.record_changes import ChangeRecorder, microseconds
from outspread.controller.retention import prune
from outspread.controller.schema_upgrade import bring_up_to_date
from outspread.controller.values import MachineEntry, RunDetail, RunSummary
from outspread.errors import InfrastructureError, OutspreadError, UserError

_Read = TypeVar("_Read")

#: How long changes wait for others to be committed with them.
_GROUP_S: Final = 0.02
#: How long another process may hold the database before it counts as stuck.
_BUSY_S: Final = 3.0
#: How long the writer may take for what waits before it counts as stuck, on a disk that is gone.
_STUCK_S: Final = 30.0
#: What may be unwritten before ``room`` holds its callers back.
_BACKLOG_LIMIT_CHANGES: Final = 10_000
_BACKLOG_LIMIT_CHARACTERS: Final = 32 * 1024 * 1024


class SqliteLedger:
    """The ledger in ``directory``/state.db, with the logs beside it; made when first written to. For use in one event loop.

    ``warn`` is called once, in the event loop, when something is to be recorded and cannot be (any more).
    ``wall`` is the time of day.
    """

    def __init__(self, directory: Path, *, warn: Callable[[str], None], wall: Callable[[], float]) -> None:
        self._directory = directory
        self._path = directory / "state.db"
        self._warn = warn
        self._wall = wall
        self._wake = threading.Condition()
        # Guarded by the condition:
        self._pending: deque[Change] = deque()
        self._pending_characters = 0
        self._waiters: list[asyncio.Future[None]] = []
        self._closing = False
        self._fault = ""
        # Of the event loop:
        self._recording = False  # something was to be recorded: who only reads needs no warning of what is not written
        self._warned = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._ended: asyncio.Future[None] | None = None

    # --- the event loop's side ---

    def record(self, changes: Sequence[Change]) -> None:
        """Take changes to be written. Returns at once."""
        if not changes:
            return
        self._recording = True
        if self._closing:
            self._warn_of_fault()
            return
        self._start()
        characters = sum(len(change.log) for change in changes if isinstance(change, AttemptEnded))
        with self._wake:
            if not self._pending:
                self._wake.notify()
            self._pending.extend(changes)
            self._pending_characters += characters

    async def room(self) -> None:
        """Wait while too much is unwritten."""
        if len(self._pending) > _BACKLOG_LIMIT_CHANGES or self._pending_characters > _BACKLOG_LIMIT_CHARACTERS:
            await self.settle()

    async def settle(self) -> None:
        """Wait until all that was recorded so far is durable, or the ledger has given up."""
        if self._thread is None:
            return
        with self._wake:
            if self._closing:
                return
            written = asyncio.get_running_loop().create_future()
            self._waiters.append(written)
            self._wake.notify()
        await self._await_bounded(written)

    async def durations(self, project: str) -> Mapping[str, float]:
        """Return what is known; nothing when it cannot be read, of which ``record`` will warn."""
        try:
            return await self._read(lambda connection: read_durations(connection, project), {})
        except InfrastructureError:
            return {}

    async def history(self, *, limit: int, project_root: str) -> list[RunSummary]:
        """Return the latest runs, newest first."""
        return await self._read(lambda connection: read_history(connection, limit=limit, project_root=project_root), [])

    async def run_detail(self, run_id: str) -> RunDetail:
        """Return a run by the beginning of its id."""
        logs = AttemptLogs(self._directory / "logs")
        detail = await self._read(lambda connection: read_run(connection, logs, run_id), None)
        if detail is None:
            raise UserError(f"cannot show run {run_id}: nothing is recorded in {self._directory}")
        return detail

    async def attempt_log(self, run_id: str, job: str, attempt: int | None) -> str:
        """Return the log of an attempt, or of the last one of ``job``."""
        logs = AttemptLogs(self._directory / "logs")
        log = await self._read(lambda connection: read_log(connection, logs, run_id, job, attempt), None)
        if log is None:
            raise UserError(f"cannot show run {run_id}: nothing is recorded in {self._directory}")
        return log

    async def machines(self) -> list[MachineEntry]:
        """Return the machines not known to be gone."""
        return await self._read(read_machines, [])

    async def close(self) -> None:
        """Write what is left and end the thread."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        if self._ended is not None and self._thread is not None:
            await self._await_bounded(self._ended)
            if self._ended.done():
                self._thread.join()

    async def _await_bounded(self, future: asyncio.Future[None]) -> None:
        """Wait for the writer, and give it up when it does not answer."""
        try:
            async with asyncio.timeout(_STUCK_S):
                await asyncio.shield(future)
        except TimeoutError:
            with self._wake:
                self._fault = f"the disk does not answer for {_STUCK_S:g} s"
                self._closing = True
                self._pending.clear()
                self._pending_characters = 0
            self._warn_of_fault()

    async def _read(self, read: Callable[[sqlite3.Connection], _Read], nothing: _Read) -> _Read:
        """Return what ``read`` finds, after all that was recorded; ``nothing`` when there is no database."""
        if not self._closing and (self._thread is not None or self._path.exists()):
            self._start()  # which brings the schema up to date
            await self.settle()
        if self._fault:
            raise InfrastructureError(f"cannot read the record in {self._directory}: {self._fault}")
        return await asyncio.to_thread(self._read_here, read, nothing)

    def _read_here(self, read: Callable[[sqlite3.Connection], _Read], nothing: _Read) -> _Read:
        if not self._path.exists():
            return nothing
        try:
            with contextlib.closing(_connect(self._path)) as connection:
                return read(connection)
        except (sqlite3.Error, OSError) as error:
            raise InfrastructureError(f"cannot read the record in {self._directory}: {error}") from error

    def _start(self) -> None:
        if self._thread is None:
            self._loop = asyncio.get_running_loop()
            self._ended = self._loop.create_future()
            # A daemon: a process that ends without closing must not hang on a stuck disk.
            self._thread = threading.Thread(target=self._write_all, name="outspread-ledger", daemon=True)
            self._thread.start()

    def _warn_of_fault(self) -> None:
        if self._fault and self._recording and not self._warned:
            self._warned = True
            what = "history and the addresses of kept machines are missing"
            self._warn(f"cannot record in {self._path}: {self._fault}; {what}")

    # --- the thread's side ---

    def _write_all(self) -> None:
        fault = "its writer broke"  # what is not caught below is a mistake of ours: it shows, but nobody waits for ever
        try:
            self._open_and_write()
            fault = ""
        except OutspreadError as error:
            fault = f"{error.message}{f' ({error.hint})' if error.hint else ''}"
        except OSError as error:
            fault = error.strerror or str(error)
        except sqlite3.Error as error:
            fault = str(error)
        finally:
            self._end(fault)

    def _open_and_write(self) -> None:
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        logs = AttemptLogs(self._directory / "logs")
        with contextlib.closing(_connect(self._path)) as connection, contextlib.closing(logs):
            # Others may not read what a test printed; the files beside it take their modes from this one.
            self._path.chmod(0o600)
            _use_write_ahead_log(connection)
            bring_up_to_date(connection)
            identity = self._path.stat().st_ino
            recorder = ChangeRecorder(connection, logs, own_mark())
            while (batch := self._next_batch()) is not None:
                changes, waiters = batch
                self._write(connection, recorder, logs, changes)
                if changes and self._path.stat().st_ino != identity:
                    raise InfrastructureError("the file was replaced")
                self._tell(waiters)
                if any(isinstance(change, RunEnded) for change in changes):
                    prune(connection, logs, now_us=microseconds(self._wall()))

    def _next_batch(self) -> tuple[list[Change], int] | None:
        """Wait for changes and return them with the number of those who wait for them; None when closed and all is written."""
        with self._wake:
            self._wake.wait_for(lambda: self._pending or self._waiters or self._closing)
            self._wake.wait_for(lambda: self._waiters or self._closing, timeout=_GROUP_S)
            if not self._pending and not self._waiters:
                return None
            changes = list(self._pending)
            self._pending.clear()
            self._pending_characters = 0
            return changes, len(self._waiters)

    def _write(
        self, connection: sqlite3.Connection, recorder: ChangeRecorder, logs: AttemptLogs, changes: Sequence[Change]
    ) -> None:
        if not changes:
            return
        connection.execute("BEGIN IMMEDIATE")
        for change in merged_moves(changes):
            recorder.apply(change)
        logs.sync()
        connection.execute("COMMIT")

    def _end(self, fault: str) -> None:
        with self._wake:
            self._fault = self._fault or fault
            self._closing = True
            self._pending.clear()
            self._pending_characters = 0
        self._in_loop(self._warn_of_fault)
        self._tell(len(self._waiters))
        ended = self._ended
        assert ended is not None
        self._in_loop(lambda: _release([ended]))

    def _tell(self, count: int) -> None:
        """Let the first ``count`` of those who wait go on."""
        if count:
            with self._wake:
                told, self._waiters = self._waiters[:count], self._waiters[count:]
            self._in_loop(lambda: _release(told))

    def _in_loop(self, action: Callable[[], object]) -> None:
        assert self._loop is not None
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is left to be told
            self._loop.call_soon_threadsafe(action)


def _release(waiters: Sequence[asyncio.Future[None]]) -> None:
    for waiter in waiters:
        if not waiter.done():  # who was cancelled waits no more
            waiter.set_result(None)


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None)
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    return connection


def _use_write_ahead_log(connection: sqlite3.Connection) -> None:
    """Switch a database to its write-ahead log, if it is not; SQLite itself does not wait for others here."""
    deadline = time.monotonic() + _BUSY_S
    mode = None
    while mode is None:
        try:
            # A file system without shared memory keeps the rollback journal, which serves as well.
            mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(_GROUP_S)
