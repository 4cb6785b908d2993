"""Being a worker in this process."""

import asyncio
import logging
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from outspread.cli.controller_options import SECRET_VARIABLES, Visitor
from outspread.cli.worker_settings import WorkerSettings
from outspread.controller.port import WorkerPort
from outspread.server.log_lines import log_to_standard_error
from outspread.server.serving import Companion, Served
from outspread.store.blob_cache import BlobCache
from outspread.store.contract import Store
from outspread.worker.commands.command_worker import CommandWorker, CommandWorkerOptions
from outspread.worker.commands.store_trees import StoreTrees


def worker_here(visitor: Visitor, settings: WorkerSettings) -> None:
    """Work for a controller elsewhere until told to stop."""
    log_to_standard_error()
    asyncio.run(_work_from_afar(visitor, settings))


def working_beside(settings: WorkerSettings) -> Companion:
    """Return what makes a worker work beside a controller of the same process, for as long as that serves."""

    # the controller beside it has the same to say of each attempt
    logging.getLogger("outspread.worker.commands.attempt_carrier").setLevel(logging.WARNING)

    @asynccontextmanager
    async def companion(served: Served) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as group:
            working = group.create_task(work(served.controller, served.store, settings, started=lambda _: None))
            yield
            working.cancel()

    return companion


async def work(port: WorkerPort, store: Store, settings: WorkerSettings, *, started: Callable[[CommandWorker], None]) -> None:
    """Work for a controller, wherever it is, until ``drain`` of the worker, which ``started`` is given, or cancelled."""
    environment = {name: value for name, value in os.environ.items() if name not in SECRET_VARIABLES}
    options = CommandWorkerOptions(
        name=settings.name,
        slots=settings.slots,
        directory=settings.directory / "attempts",
        dimensions=settings.dimensions,
        environment=environment,
        job_limits=settings.job_limits,
    )
    # beside the work trees, as hard links do not cross file systems
    with BlobCache(settings.directory / "cache", store, limit_bytes=settings.cache_bytes) as cache:
        worker = CommandWorker(port, StoreTrees(cache), options)
        started(worker)
        await worker.serve()


async def _work_from_afar(visitor: Visitor, settings: WorkerSettings) -> None:
    def started(worker: CommandWorker) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, worker.drain)
        print(f"worker {settings.name} with {settings.slots} slots for {visitor.url}", flush=True)

    async with visitor.controller() as port, visitor.store() as store:
        await work(port, store, settings, started=started)
