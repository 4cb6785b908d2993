"""How long a sandbox takes: allocate to first output, one trivial script, discard. Prints the median and the best of each."""

import asyncio
import statistics
import sys
import time

from outspread.machines.contract import MachineRequest
from outspread.machines.sandbox.backend import THIS_HOST, SandboxBackend
from outspread.project.model import Backend, System


def show(what: str, times: list[float]) -> None:
    print(f"{what:<28} median {statistics.median(times) * 1e3:6.2f} ms   best {min(times) * 1e3:6.2f} ms   of {len(times)}")


async def main(rounds: int, scripts: int) -> None:
    system = System(name=THIS_HOST, backend="sandbox")
    backend = Backend(name="sandbox", type="sandbox", systems={THIS_HOST: system})
    sandboxes = SandboxBackend()
    first: list[float] = []
    each: list[float] = []
    discarding: list[float] = []
    for number in range(rounds):
        request = MachineRequest(f"bench-{number}", run_id="bench", project="bench", root="/", backend=backend, system=system)
        start = time.perf_counter()
        machine = await sandboxes.allocate(request, print)
        shell = await sandboxes.connect(machine)
        await shell.run(b"echo", output=lambda _piece: None, kill_after_s=10)
        first.append(time.perf_counter() - start)
        for _ in range(scripts):
            start = time.perf_counter()
            await shell.run(b"true", output=lambda _piece: None, kill_after_s=10)
            each.append(time.perf_counter() - start)
        start = time.perf_counter()
        await sandboxes.discard(machine)
        discarding.append(time.perf_counter() - start)
    show("allocate to first output", first)
    show("one script", each)
    show("discard", discarding)


if __name__ == "__main__":
    asyncio.run(main(*(int(number) for number in sys.argv[1:]) if sys.argv[1:] else (10, 100)))
