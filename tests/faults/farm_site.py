"""A farm for fault tests: our programs on loopback, and what must be true of them whatever happens."""

import asyncio
import contextlib
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from tests.faults.site import wait_for

from outspread.client.http_controller import HttpController
from outspread.controller.command_values import CommandAttempt, CommandJob, CommandJobStatus, CommandRun, CommandRunStatus

_HASTY = Path(__file__).with_name("hasty_farm.py")
_SETTLED_WITHIN_S = 15.0


class FarmSite:
    """A controller's directory, and the programs that were started here; ``port`` is kept from one controller to the next."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self.state = directory / "state"
        self._mark = f"outspread-site={directory}"
        self._logs = directory / "log"
        self._started: list[subprocess.Popen[bytes]] = []
        self._port = 0
        self.lease_s = 3.0  # ten times shorter than it is
        self.controller: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def port(self) -> int:
        return self._port

    # --- programs ---

    def start_controller(
        self, *, state: Path | None = None, environment: Mapping[str, str] | None = None, may_die: bool = False
    ) -> subprocess.Popen[bytes]:
        """Start a controller, and return when it serves, or has died if it may."""
        config = self.directory / "controller.yaml"
        config.write_text(f"state: {state or self.state}\n")
        words = ["serve", "--config", str(config), "--listen", f"127.0.0.1:{self._port}"]
        process = self.controller = self._start(words, stdout=subprocess.PIPE, environment=environment)
        assert process.stdout is not None
        with process.stdout as said:  # one line is all it says there
            line = said.readline().decode()
        if may_die and not line:
            process.wait(10)
            return process
        found = re.search(r"http://127\.0\.0\.1:(\d+)", line)
        assert found is not None, f"no controller: {line!r} {self.log()}"
        self._port = int(found[1])
        return process

    def start_worker(
        self,
        name: str,
        *,
        slots: int = 1,
        url: str = "",
        words: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
        wait: bool = True,
    ) -> subprocess.Popen[bytes]:
        """Start a worker, and return when the controller knows it, or at once."""
        process = self._start(
            [
                *("worker", "--controller", url or self.url, "--name", name, "--slots", str(slots)),
                *("--work-dir", str(self.directory / name), *words),
            ],
            environment=environment,
        )
        if wait:
            self.wait_until(lambda: self.is_connected(name), f"worker {name}")
        return process

    def restart_controller(self, number: signal.Signals = signal.SIGKILL) -> None:
        """End the controller by a signal and start it again."""
        assert self.controller is not None
        self.controller.send_signal(number)
        self.controller.wait(10)
        self.start_controller()

    def log(self) -> str:
        """Return what all programs logged."""
        return self._logs.read_text(errors="replace") if self._logs.exists() else ""

    # --- questions ---

    def submit(
        self, *commands: str, run_id: str = "run", retries: int = 0, timeout_s: float = 0.0, owner: str = "me"
    ) -> CommandRunStatus:
        """Submit shell commands as jobs, named j0, j1, ...."""
        jobs = tuple(
            CommandJob(name=f"j{number}", command=("/bin/sh", "-c", command), retries=retries, timeout_s=timeout_s, grace_s=0.5)
            for number, command in enumerate(commands)
        )
        return asyncio.run(self._submit(CommandRun(run_id=run_id, owner=owner, jobs=jobs)))

    async def _submit(self, run: CommandRun) -> CommandRunStatus:
        async with HttpController(self.url) as controller:
            return await controller.submit_commands(run)

    def status(self, run_id: str = "run") -> CommandRunStatus:
        async def ask() -> CommandRunStatus:
            async with HttpController(self.url) as controller:
                return (await controller.progress(run_id)).status

        return asyncio.run(ask())

    def job(self, number: int, run_id: str = "run") -> CommandJobStatus:
        async def ask() -> CommandJobStatus:
            async with HttpController(self.url) as controller:
                return await controller.job(run_id, number)

        return asyncio.run(ask())

    def cancel(self, run_id: str = "run") -> None:
        async def ask() -> None:
            async with HttpController(self.url) as controller:
                await controller.cancel(run_id, "enough")

        asyncio.run(ask())

    def log_of(self, attempt_id: str) -> bytes:
        async def ask() -> bytes:
            async with HttpController(self.url) as controller:
                return (await controller.log_part(attempt_id)).data

        return asyncio.run(ask())

    def is_connected(self, name: str) -> bool:
        async def ask() -> bool:
            async with HttpController(self.url) as controller:
                return any(worker.name == name and worker.connected for worker in await controller.workers())

        return asyncio.run(ask())

    def running(self, number: int, run_id: str = "run") -> CommandAttempt | None:
        """Return the attempt of a job that goes on now."""
        attempts = self.job(number, run_id).attempts
        return next((attempt for attempt in attempts if attempt.outcome is None), None)

    def wait_until(self, fact: Callable[[], object], what: str, *, within_s: float = 30.0) -> None:
        try:
            wait_for(fact, what, within_s=within_s)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.log()[-4000:]}") from None

    def wait_for_end(self, run_id: str = "run", *, within_s: float = 60.0) -> CommandRunStatus:
        """Return how a run ended."""
        self.wait_until(lambda: self.status(run_id).state != "running", f"an end of {run_id}", within_s=within_s)
        return self.status(run_id)

    # --- the end ---

    def check(self) -> None:
        """End all programs in order, and fail unless every promise was kept and nothing is left."""
        # The controller last: a worker that could not tell it that it leaves would try for a while.
        for programs in ([process for process in self._started if process is not self.controller], [self.controller]):
            for process in filter(None, programs):
                if process.poll() is None:
                    process.send_signal(signal.SIGCONT)
                    process.terminate()
            for process in filter(None, programs):
                process.wait(20)
        left: list[str] = []

        def is_settled() -> bool:
            left[:] = self.processes()
            return not left

        with contextlib.suppress(AssertionError):
            wait_for(is_settled, "an end", within_s=_SETTLED_WITHIN_S)
        assert left == []
        self.check_record()
        for directory in self.directory.glob("*/work*/*"):
            assert not directory.is_dir() or not any(directory.iterdir()), f"left behind: {directory}"

    def check_record(self) -> None:
        """Fail unless the tables hold what they must, whenever."""
        if not (self.state / "state.db").exists():
            return
        with contextlib.closing(sqlite3.connect(f"file:{self.state}/state.db?mode=ro", uri=True)) as record:
            one = record.execute
            assert one("PRAGMA integrity_check").fetchall() == [("ok",)]
            for run_id, total, state in one("SELECT run_id, total_jobs, state FROM runs WHERE kind = 'commands'"):
                (jobs,) = one("SELECT count(*) FROM jobs JOIN runs USING (run_key) WHERE run_id = ?", (run_id,)).fetchone()
                assert jobs == total, f"{run_id} lost jobs"
                if state == "running":
                    continue
                (undecided,) = one(
                    "SELECT count(*) FROM jobs JOIN runs USING (run_key) WHERE run_id = ? AND jobs.state NOT IN"
                    " ('done', 'cancelled')",
                    (run_id,),
                ).fetchone()
                assert undecided == 0, f"{run_id} is over, and some of its jobs are not"
            (wrong,) = one(
                "SELECT count(*) FROM jobs WHERE outcome IS NOT NULL AND 1 <> (SELECT count(*) FROM attempts WHERE"
                " attempts.run_key = jobs.run_key AND job_number = number AND decides)"
            ).fetchone()
            assert wrong == 0, "a job has not one attempt that decides it"

    def processes(self) -> list[str]:
        """Return what is left of our programs and of their commands."""
        mark = self._mark.encode()
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and int(entry.name) != os.getpid():
                with contextlib.suppress(OSError):
                    if mark in (entry / "environ").read_bytes():
                        found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        return found

    def _start(
        self, words: Sequence[str], *, stdout: int = subprocess.DEVNULL, environment: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        environment = {**os.environ, **(environment or {}), "XDG_CACHE_HOME": str(self.directory / "cache"), "SITE": self._mark}
        with self._logs.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, str(_HASTY), str(self.lease_s), *words],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=log,
                start_new_session=True,
            )
        self._started.append(process)
        return process


@contextlib.contextmanager
def farm_site(directory: Path) -> Iterator[FarmSite]:
    """Give a farm, which is checked in the end, or killed when the test has failed."""
    site = FarmSite(directory)
    try:
        yield site
        site.check()
    finally:
        for process in site._started:
            if process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait(10)
        deadline = time.monotonic() + 5
        while site.processes() and time.monotonic() < deadline:
            time.sleep(0.05)
