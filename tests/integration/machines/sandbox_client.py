"""A process that allocates a sandbox, says what it got, and waits to be killed; started by tests, sometimes as another user."""

import asyncio
import sys

import msgspec

from outspread.errors import OutspreadError
from outspread.machines.contract import MachineRequest
from outspread.machines.sandbox.backend import SandboxBackend


async def main(request: MachineRequest, script: str) -> None:
    backend = SandboxBackend()
    try:
        machine = await backend.allocate(request, lambda text: print("progress", text, flush=True))
    except OutspreadError as error:
        print("refused", error, "|", error.hint, flush=True)
        return
    print("machine", msgspec.json.encode(machine).decode(), flush=True)
    shell = await backend.connect(machine)
    end = await shell.run(script.encode(), output=lambda piece: print("output", piece.decode(), flush=True), kill_after_s=60)
    print("end", end.exit_code, flush=True)
    await backend.discard(machine)


if __name__ == "__main__":
    asyncio.run(main(msgspec.json.decode(sys.argv[1], type=MachineRequest), sys.argv[2]))
