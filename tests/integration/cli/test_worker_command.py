"""``outspread worker`` beside a controller, over HTTP."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from outspread.client.http_controller import HttpController
from outspread.controller.command_values import CommandJob, CommandRun, RunProgress
from outspread.controller.values import Outcome
from outspread.server.serving import Served, serving
from outspread.server.settings import ListenAddress, Settings
from outspread.store.upload import upload_tree

PROGRAM = (str(Path(sys.executable).with_name("outspread")), "worker")


class Farm:
    """A controller in this process, and workers as processes."""

    def __init__(self, served: Served, port: HttpController, place: Path) -> None:
        self.served = served
        self.port = port
        self._place = place
        self.workers: list[subprocess.Popen[bytes]] = []

    def start_worker(self, name: str) -> subprocess.Popen[bytes]:
        options = ("--controller", self.served.url, "--name", name, "--slots", "2", "--work-dir", str(self._place / name))
        with (self._place / f"{name}.log").open("wb") as log:
            self.workers.append(subprocess.Popen([*PROGRAM, *options], stdout=log, stderr=log))
        return self.workers[-1]

    async def submit(self, *jobs: CommandJob) -> None:
        await self.port.submit_commands(CommandRun("run", "me", jobs))

    async def end(self) -> RunProgress:
        async with asyncio.timeout(60):
            while (await self.port.progress("run", wait_s=5.0)).status.state == "running":
                await asyncio.sleep(0.05)
        return await self.port.progress("run")

    async def running_on(self) -> str:
        """Return the worker that runs something, once there is one."""
        async with asyncio.timeout(30):
            while True:
                for worker in await self.port.workers():
                    if worker.running:
                        return worker.name
                await asyncio.sleep(0.05)


NewFarm = Callable[[], AbstractAsyncContextManager[Farm]]


@pytest.fixture
def new_farm(tmp_path: Path) -> NewFarm:
    @asynccontextmanager
    async def farm() -> AsyncIterator[Farm]:
        settings = Settings(state=tmp_path / "state", listen=ListenAddress("127.0.0.1", 0))
        async with serving(settings) as served, HttpController(served.url) as port:
            it = Farm(served, port, tmp_path)
            try:
                yield it
            finally:
                for worker in it.workers:
                    worker.kill()
                    worker.wait()

    return farm


def test_a_run_goes_through(new_farm: NewFarm, tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source/given.txt").write_text("given\n")

    async def main() -> None:
        async with new_farm() as farm:
            inputs = str((await upload_tree(farm.served.store, tmp_path / "source")).root)
            worker = farm.start_worker("w")
            script = "cat given.txt; echo ${OUTSPREAD_TOKEN-none}; echo made >made.txt"
            await farm.submit(
                CommandJob("makes", ("sh", "-c", script), inputs=inputs, outputs=("*.txt",)), CommandJob("fails", ("false",))
            )
            ended = {attempt.job: attempt for attempt in (await farm.end()).ended}
            assert {name: attempt.outcome for name, attempt in ended.items()} == {
                "makes": Outcome.PASSED,
                "fails": Outcome.FAILED,
            }
            assert ended["makes"].outputs
            log = await farm.port.log_part(ended["makes"].attempt_id)
            assert log.data == b"given\nnone\n"
            worker.send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(worker.wait, 10) == 0
            assert list((tmp_path / "w/attempts").iterdir()) == []

    asyncio.run(main())


def test_a_killed_workers_job_goes_to_another_and_nothing_of_it_goes_on(new_farm: NewFarm, tmp_path: Path) -> None:
    pids = tmp_path / "pids"

    async def main() -> None:
        async with new_farm() as farm:
            first = farm.start_worker("first")
            script = f"echo $$ >>{pids}; test $(wc -l <{pids}) -gt 1 || exec sleep 600"
            await farm.submit(CommandJob("j", ("sh", "-c", script)))
            assert await farm.running_on() == "first"
            pid = int(pids.read_text())
            farm.start_worker("second")
            first.kill()
            async with asyncio.timeout(5):
                while Path(f"/proc/{pid}").exists():
                    await asyncio.sleep(0.01)
            lost, done = (await farm.end()).ended
            assert (lost.worker, lost.outcome) == ("first", Outcome.INFRA)
            assert (done.worker, done.outcome) == ("second", Outcome.PASSED)

    asyncio.run(main())
