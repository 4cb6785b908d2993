"""The Shell contract on a machine that SSH reaches."""

import asyncio
from typing import IO

from outspread.errors import ConnectionLostError, InfrastructureError
from outspread.machines.agent_connection import Command
from outspread.machines.agent_shell import AgentShell, FetchPacking
from outspread.machines.contract import ProgressSink, ScriptEnd
from outspread.machines.ssh.carrier import Target
from outspread.machines.ssh.packing import choose_fetch_packing, choose_packing, packed, take_samples, unpacker
from outspread.machines.ssh.way import Dial, Way, open_way

_REBOOT = Command(
    argv=("/bin/bash", "-c", 'PATH="$PATH:/usr/sbin:/sbin:/usr/bin:/bin"; exec reboot'),
    kill_after_s=60.0,
)
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.05, 1.0


def _say_nothing(_text: str) -> None:
    """Take progress that nobody waits for."""


async def open_ssh_shell(target: Target, progress: ProgressSink = _say_nothing, dial: Dial | None = None) -> "SshShell":
    """Log in and return the way in. ``dial`` says how to get a connection, also after a reboot, where it takes more than to ask.

    Raises ConnectionLostError when the machine is not there, InfrastructureError when it does not let us in or cannot run
    scripts as root, and UserError when a key cannot be used.
    """
    return SshShell(await open_way(target, progress, dial), dial)


class SshShell(AgentShell):
    """The way into one machine over SSH."""

    def __init__(self, way: Way, dial: Dial | None = None) -> None:
        super().__init__(way.runner, way.name)
        self._way = way
        self._dial = dial

    @property
    def host_key(self) -> str:
        """The key that the machine proved to have: what to record, and to give as ``SshTarget.host_key`` from then on."""
        return self._way.target.host_key

    async def send_tree(self, archive: IO[bytes], directory: str) -> None:
        """Unpack ``archive`` under ``directory``, which must be missing or empty; packed on the way where that is faster."""
        samples, size_bytes = take_samples(archive)
        has_zstd = bool(self._way.hello.zstd)
        packing = choose_packing(samples, size_bytes, has_zstd=has_zstd, round_trip_s=self._way.round_trip_s())
        options = (f"--use-compress-program={packing}",) if packing else ()
        await self._unpack(packed(archive, packing), directory, *options)

    def _fetch_packing(self) -> FetchPacking:
        has_zstd = bool(self._way.hello.zstd)
        packing = choose_fetch_packing(has_zstd=has_zstd, round_trip_s=self._way.round_trip_s())
        return FetchPacking(f"--use-compress-program={packing}" if packing else "", unpacker(packing))

    async def reboot(self, *, within_s: float) -> None:
        """Have the machine reboot, and return when an agent serves on another boot of it."""
        why: list[str] = []
        try:
            async with asyncio.timeout(within_s):
                await self._go_down()
                self._way = await _come_back(self._way, why, self._dial)
        except TimeoutError as error:
            text = f"cannot reboot {self._machine}: it is not back after {within_s:g} s"
            raise InfrastructureError("; ".join((text, *why[-1:]))) from error
        self._connection = self._way.runner

    async def _go_down(self) -> None:
        self._way.let_go()
        said = bytearray()
        try:
            end = await self._connection.run(_REBOOT, output=said.extend)
        except ConnectionLostError:  # that was quick
            end = ScriptEnd(exit_code=0)
        finally:
            await self._way.close()
        if end.exit_code:
            text = said.decode(errors="replace").strip()
            raise InfrastructureError(f"cannot reboot {self._machine}: {text or f'exit code {end.exit_code}'}")

    async def close(self) -> None:
        """Let go of the machine; what a script left running there lives on. Idempotent."""
        await self._way.close()


async def _come_back(before: Way, why: list[str], dial: Dial | None) -> Way:
    """Connect again and again, until it is to another boot; add to ``why`` what each attempt ended with."""
    pause_s = _FIRST_PAUSE_S
    while True:
        await asyncio.sleep(pause_s)
        pause_s = min(pause_s * 1.5, _LONGEST_PAUSE_S)
        try:
            way = await open_way(before.target, _say_nothing, dial)
        except InfrastructureError as error:  # going down, away, or not yet ready to let anybody in
            why.append(error.message)
            continue
        if way.hello.boot_id != before.hello.boot_id:
            return way
        why.append("it has not gone down")
        way.let_go()
        await way.close()
