"""Talk to a running QEMU (QMP, the QEMU Machine Protocol), and the few things that are asked of it."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Self

import msgspec

from outspread.errors import InfrastructureError
from outspread.machines.qemu.near_socket import connect_near
from outspread.machines.qemu.packets import KEPT_BYTES, PacketDump

_ANSWERS_WITHIN_S = 60.0
_LINE_BYTES = 1024 * 1024
_FORWARDED = re.compile(r"^\s*TCP\[HOST_FORWARD\]\s+\d+\s+127\.0\.0\.1\s+(\d+)\s+\S+\s+22\s", re.MULTILINE)
_POLL_S = 0.02


class _Refusal(msgspec.Struct):
    desc: str = ""


class _Answer(msgspec.Struct):
    """An answer, or an event: that has neither."""

    result: msgspec.Raw = msgspec.field(name="return", default=msgspec.Raw())
    error: _Refusal | None = None


class _Progress(msgspec.Struct):
    status: str = "none"
    why: str = msgspec.field(name="error-desc", default="")


class _State(msgspec.Struct):
    status: str


class Control:
    """One conversation with a QEMU. Its methods raise InfrastructureError when it refuses, ends or does not answer."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, socket_path: Path) -> Self:
        try:
            connected = connect_near(socket_path)
        except OSError as error:
            raise InfrastructureError(f"cannot talk to QEMU: {error.strerror}") from error
        control = cls(*await asyncio.open_unix_connection(sock=connected, limit=_LINE_BYTES))
        try:
            await control._line()  # its greeting
            await control.ask("qmp_capabilities")
        except BaseException:
            control.close()
            raise
        return control

    def close(self) -> None:
        self._writer.close()

    async def forwarded_port(self) -> int:
        """Return the port of this host that leads to the machine's SSH."""
        text = msgspec.json.decode(await self.ask("human-monitor-command", {"command-line": "info usernet"}), type=str)
        found = _FORWARDED.search(text.replace("\r", ""))
        if found is None:
            raise InfrastructureError(f"cannot find the port of QEMU's that leads to the machine, in: {text.strip()}")
        return int(found[1])

    @contextlib.asynccontextmanager
    async def packets(self, path: Path) -> AsyncIterator[PacketDump]:
        """Have QEMU dump the machine's packets to ``path`` meanwhile."""
        packets = PacketDump(path)
        dump = {"qom-type": "filter-dump", "id": "packets0", "netdev": "net0", "maxlen": KEPT_BYTES, "file": str(path)}
        with contextlib.suppress(InfrastructureError):  # it is there if we were killed
            await self.ask("object-del", {"id": "packets0"})
        await self.ask("object-add", dump)
        try:
            yield packets
        finally:
            packets.remove()
            await self.ask("object-del", {"id": "packets0"})

    async def is_paused(self) -> bool:
        """Tell whether its processors stand still, as after an error in them."""
        state = msgspec.json.decode(await self.ask("query-status"), type=_State).status
        return state not in ("running", "inmigrate", "prelaunch")

    async def save(self, command: str) -> None:
        """Write the state of the running machine into the shell ``command``; the machine stands still from then on."""
        await self.ask("migrate-set-parameters", {"max-bandwidth": 2**40})
        await self.ask("migrate", {"uri": f"exec:{command}"})
        await self._moved()

    async def loaded(self) -> None:
        """Return when the state that it was started with is there."""
        await self._moved()

    async def _moved(self) -> None:
        async with asyncio.timeout(_ANSWERS_WITHIN_S):
            while True:
                moved = msgspec.json.decode(await self.ask("query-migrate"), type=_Progress)
                if moved.status == "completed":
                    return
                if moved.status in ("failed", "cancelled"):
                    raise InfrastructureError(f"QEMU cannot save or load a machine: {moved.why or moved.status}", retry=False)
                await asyncio.sleep(_POLL_S)

    async def ask(self, command: str, arguments: Mapping[str, object] | None = None) -> msgspec.Raw:
        """Have QEMU do something and return its answer, undecoded."""
        self._writer.write(msgspec.json.encode({"execute": command, "arguments": arguments or {}}) + b"\n")
        while True:
            answer = msgspec.json.decode(await self._line(), type=_Answer)
            if answer.error is not None:
                raise InfrastructureError(f"QEMU refuses {command}: {answer.error.desc}", retry=False)
            if bytes(answer.result):
                return answer.result

    async def _line(self) -> bytes:
        try:
            async with asyncio.timeout(_ANSWERS_WITHIN_S):
                line = await self._reader.readline()
        except TimeoutError as error:
            raise InfrastructureError(f"QEMU does not answer within {_ANSWERS_WITHIN_S:g} s") from error
        except OSError as error:
            raise InfrastructureError(f"cannot talk to QEMU: {error.strerror}") from error
        if not line:
            raise InfrastructureError("QEMU ended")
        return line
