"""Workers of command jobs for tests, with a controller of the tests'. For the conftest.py of those who want them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.commands.controller import Controller

from outspread.controller.command_values import CommandJob
from outspread.errors import InfrastructureError
from outspread.store.blob_cache import BlobCache
from outspread.store.disk_store import DiskStore
from outspread.worker.commands.command_worker import CommandWorker, CommandWorkerOptions
from outspread.worker.commands.store_trees import StoreTrees
from outspread.worker.commands.trees import Trees

WITHIN_S = 20.0


@pytest.fixture
def new_controller() -> Callable[[], Controller]:
    return Controller


async def _poll(condition: Callable[[], object], within_s: float) -> None:
    async with asyncio.timeout(within_s):
        while not condition():
            await asyncio.sleep(0.01)


@pytest.fixture
def until() -> Callable[..., Awaitable[None]]:
    """Wait for a fact; fail when it never comes."""

    def wait(condition: Callable[[], object], *, within_s: float = WITHIN_S) -> Awaitable[None]:
        return _poll(condition, within_s)

    return wait


class NoTrees:
    """For jobs without inputs and outputs."""

    async def materialise(self, root: str, into: Path, *, writable: tuple[str, ...]) -> Callable[[], None]:
        raise InfrastructureError(f"cannot fetch {root}: there is no store")

    async def upload(self, directory: Path) -> str:
        raise InfrastructureError(f"cannot upload {directory}: there is no store")


Running = Callable[..., AbstractAsyncContextManager[CommandWorker]]


@pytest.fixture
def running(tmp_path: Path) -> Running:
    """Have a worker of a controller serve; fail if it left anything in its directory."""

    @asynccontextmanager
    async def run(port: Controller, trees: Trees | None = None, **options: Any) -> AsyncIterator[CommandWorker]:
        directory = tmp_path / "work"
        options = {"name": "w", "slots": 2, "environment": {"PATH": "/usr/bin:/bin"}, "directory": directory, **options}
        worker = CommandWorker(port, trees or NoTrees(), CommandWorkerOptions(**options))
        serving = asyncio.create_task(worker.serve())
        here = asyncio.current_task()
        assert here is not None
        serving.add_done_callback(lambda ended: here.cancel() if not ended.cancelled() and ended.exception() else None)
        try:
            yield worker
        finally:
            serving.cancel()
            (end,) = await asyncio.gather(serving, return_exceptions=True)
            if isinstance(end, Exception):
                raise end  # what the test saw comes from it
        assert list(options["directory"].iterdir()) == []

    return run


@pytest.fixture
def store_trees(tmp_path: Path) -> Iterator[tuple[DiskStore, StoreTrees]]:
    store = DiskStore(tmp_path / "store")
    with BlobCache(tmp_path / "cache", store, limit_bytes=1024**3) as cache:
        yield store, StoreTrees(cache)


@pytest.fixture
def do_jobs(running: Running, until: Callable[..., Awaitable[None]]) -> Callable[..., Controller]:
    """Run jobs to their ends with one worker; return what its controller heard."""

    def do(jobs: Sequence[CommandJob], trees: Trees | None = None, *, within_s: float = WITHIN_S, **options: Any) -> Controller:
        async def main() -> Controller:
            controller = Controller()
            async with running(controller, trees, **options):
                controller.submit(*jobs)
                await until(lambda: len(controller.ends) == len(jobs), within_s=within_s)
            return controller

        return asyncio.run(main())

    return do
