"""A sandbox by itself: what its parts cost without a run around them."""

import asyncio
import statistics
import time
from collections.abc import Iterator

from bench.report import Figure
from outspread.machines.contract import MachineRequest
from outspread.machines.sandbox.backend import THIS_HOST, SandboxBackend
from outspread.project.model import Backend, System

ROUNDS = 10
SCRIPTS = 100


async def _measured() -> tuple[list[float], list[float], list[float]]:
    """Return the seconds of getting sandboxes to a first output, of trivial scripts, and of discarding."""
    system = System(name=THIS_HOST, backend="sandbox")
    backend = Backend(name="sandbox", type="sandbox", systems={THIS_HOST: system})
    sandboxes = SandboxBackend()
    first: list[float] = []
    each: list[float] = []
    discarding: list[float] = []
    for number in range(ROUNDS):
        request = MachineRequest(f"bench-{number}", run_id="bench", project="bench", root="/", backend=backend, system=system)
        start = time.perf_counter()
        machine = await sandboxes.allocate(request, print)
        shell = await sandboxes.connect(machine)
        await shell.run(b"echo", output=lambda _piece: None, kill_after_s=10)
        first.append(time.perf_counter() - start)
        for _ in range(SCRIPTS):
            start = time.perf_counter()
            await shell.run(b"true", output=lambda _piece: None, kill_after_s=10)
            each.append(time.perf_counter() - start)
        start = time.perf_counter()
        await sandboxes.discard(machine)
        discarding.append(time.perf_counter() - start)
    return first, each, discarding


def sandbox_shell() -> Iterator[Figure]:
    first, each, discarding = asyncio.run(_measured())
    yield Figure("sandbox: from nothing to the output of a script", statistics.median(first) * 1000, "ms", note="by hand: 92")
    yield Figure("sandbox: one trivial script", statistics.median(each) * 1000, "ms")
    yield Figure("sandbox: discard", statistics.median(discarding) * 1000, "ms")
