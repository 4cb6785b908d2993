"""Run jobs in this process: wires a controller, its record, a worker and the backends together, once."""

import asyncio
import contextlib
import functools
import os
import signal
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path

from outspread.cli.audience import Audience
from outspread.cli.held_output import HeldOutput
from outspread.cli.local_desk import LocalDesk
from outspread.cli.open_ledger import open_ledger
from outspread.cli.owner import owner
from outspread.cli.renderer import Renderer
from outspread.cli.tally import Tally
from outspread.client.content import PackedContent, pack_content
from outspread.controller.embedded import EmbeddedController
from outspread.controller.values import ContentPacked, Report, RunOptions, RunSpec
from outspread.machines.backends import backend_for, get_ready
from outspread.machines.reuse.kept_machines import KeptMachines
from outspread.project.content_rules import expanded_content_rules
from outspread.project.environment import project_environment
from outspread.project.host_commands import HostCommands
from outspread.project.host_resolution import resolve_host
from outspread.project.model import Job, Project
from outspread.project.timeouts import local_timeouts_for
from outspread.worker.worker import Worker

#: The systems' own ``workers`` say how many sessions there are; this only bounds what one process carries at once.
MAX_SESSIONS = 256

_INTERRUPT_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run_here(
    project: Project,
    jobs: Sequence[Job],
    options: RunOptions,
    *,
    host: HostCommands,
    renderers: Sequence[Renderer],
    artifacts_dir: Path | None,
    on_interrupt: Callable[[], None],
    out: HeldOutput,
    kept: KeptMachines | None = None,
    password: str = "",
) -> Tally:
    """Run ``jobs`` and return what came of them; every renderer is fed each event, then told the end.

    Each interrupt (SIGINT, SIGTERM, SIGHUP) calls ``on_interrupt``. The first one ends the run and gives machines back; a
    second one ends the process at once. ``kept`` and ``password`` are for the ``Worker``.
    ``out`` is where renderers print; it is held while a shell has the terminal.
    """
    types = {project.backends[job.backend].type for job in jobs}
    for backend_type in sorted(types):
        backend_for(backend_type)  # refuses what cannot run here before anything is begun
    for backend_type in types:
        get_ready(backend_type)
    tally = Tally(options)
    with _interruptible():
        for_run = resolve_host(project, jobs, host)
        content = _packed(project, jobs, host)
    audience = Audience(renderers)
    run = RunSpec(uuid.uuid4().hex, owner(), for_run, () if options.visit else tuple(jobs), options)
    with contextlib.closing(content):
        audience.feed(ContentPacked(time.time(), content.size_bytes))
        try:
            asyncio.run(_run(run, content, tally, audience, artifacts_dir, on_interrupt, LocalDesk(out), kept, password))
        finally:
            audience.finish(tally)
    return tally


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """Let every signal that interrupts a run raise KeyboardInterrupt, as SIGINT does anyway: nothing is left running then."""

    def interrupted(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupted) for number in _INTERRUPT_SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _packed(project: Project, jobs: Sequence[Job], host: HostCommands) -> PackedContent:
    environment = project_environment(project, host, backends_with_jobs=sorted({job.backend for job in jobs}))
    _, kill_s = local_timeouts_for(project)
    return pack_content(project, expanded_content_rules(project, host), environment, repack_within_s=kill_s)


async def _run(
    run: RunSpec,
    content: PackedContent,
    tally: Tally,
    audience: Audience,
    artifacts_dir: Path | None,
    on_interrupt: Callable[[], None],
    desk: LocalDesk,
    kept: KeptMachines | None,
    password: str,
) -> None:
    controller = EmbeddedController(open_ledger())
    worker = Worker(
        controller,
        name=f"embedded-{os.getpid()}",
        slots=MAX_SESSIONS,
        backend_of=functools.cache(backend_for),
        archive_of=lambda _: content.open(),
        artifacts=artifacts_dir,
        desk=desk,
        kept=kept,
        password=password,
    )
    cancelling: set[asyncio.Task[None]] = set()

    def interrupted(number: int) -> None:
        with contextlib.suppress(OSError):  # whoever would be told is gone: a closed terminal, a broken pipe
            on_interrupt()
        if cancelling:
            os._exit(128 + number)
        cancelling.add(asyncio.ensure_future(controller.cancel(run.run_id, "interrupted")))
        desk.leave()

    loop = asyncio.get_running_loop()
    for number in _INTERRUPT_SIGNALS:
        loop.add_signal_handler(number, interrupted, number)

    async def show(events: AsyncIterator[Report]) -> None:
        async for event in events:
            await asyncio.sleep(0)  # sessions first: a machine need not wait until all is shown
            tally.add(event)
            desk.showing(event)
            was_whole = audience.is_whole
            audience.feed(event)
            desk.shown(event)
            if was_whole and not audience.is_whole:
                await controller.cancel(run.run_id, "it could not be shown any more")

    showing = asyncio.create_task(show(controller.watch(run.run_id)))
    working = asyncio.create_task(worker.serve())
    try:
        await controller.submit(run)
        await asyncio.wait((showing, working), return_when=asyncio.FIRST_COMPLETED)
    finally:
        working.cancel()
        await asyncio.wait([working])
        showing.cancel()
        await asyncio.wait([showing])
        desk.leave()
        await controller.close()
        for number in _INTERRUPT_SIGNALS:
            loop.remove_signal_handler(number)
    for task in (working, showing):
        if not task.cancelled():
            task.result()  # raises what broke it, if anything did
