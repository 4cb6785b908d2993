"""Find out whether this host's processors can run a machine's instructions (KVM), by having them run some.

That ``/dev/kvm`` opens says little: on a host that is a machine itself it may be there and fail at the first instruction that
it has to emulate, which is long after the start. So a guest of 200 bytes is run for a moment, once for each boot of the host.
"""

import asyncio
import contextlib
import os
import platform
import shutil
import tempfile
from pathlib import Path

import msgspec

from outspread.machines.process_identity import start_time
from outspread.machines.qemu.architectures import Architecture, architecture_of_host
from outspread.machines.qemu.guest import Accelerator
from outspread.machines.qemu.processes import QemuProcess, end_process

_KVM = "/dev/kvm"
_RUNS_WITHIN_S = 5.0  # it takes a twentieth of a second
_PASSED = 0x2A << 1 | 1  # as its exit status: what the guest writes to the port of isa-debug-exit

#: x86, from its first instruction on: makes page tables, enters 64-bit mode, does what kernels do soon (cmpxchg16b, and
#: xrstor if there is one), writes 0x2A to port 0xF4.
_GUEST = bytes.fromhex(
    "fa31c08ed866c70600100320000066c70600200330000066c70600308300000066b8001000000f22d866b8010000000fa26689ce0f20e0660d2002"
    "0000660fbae61a7306660d000004000f22e066b9800000c00f32660d000100000f302e660f0116c0000f20c06683e0fb660d030000800f22c066"
    "ea7c000f000800bb0100000031c931c031d2f0480fc70c250040000075170fbae61a730d31c90f01d00fae2c2500500000b02ae6f4f4ebfd0f1f"
    "00000000000000000000000000009a20000f00b0000f00"
)
_ROM_BYTES = 65536
_FIRST_INSTRUCTION = 0xFFF0
_JUMP_TO_START = bytes.fromhex("ea000000f0")


class _Known(msgspec.Struct):
    """What is kept of the answer; another boot, or another QEMU, asks anew."""

    boot_id: str
    program: str
    works: bool


async def choose_accelerator(architecture: Architecture, host: Architecture, *, asked: bool | None, cache: Path) -> Accelerator:
    """Return what is to run the machine. ``asked`` is what the user says of KVM; None: where it works."""
    if asked is False or architecture.name != host.name:
        return Accelerator.TCG
    if asked or await _kvm_works(architecture, cache / "kvm.json"):
        return Accelerator.KVM
    return Accelerator.TCG


async def host_runs_machines(cache: Path) -> bool:
    """Return whether KVM works here; where there is no QEMU to try it with, whether ``/dev/kvm`` opens."""
    host = architecture_of_host(platform.machine())
    if shutil.which(host.program) is None:
        return _opens()
    return await _kvm_works(host, cache / "kvm.json")


def _opens() -> bool:
    return os.access(_KVM, os.R_OK | os.W_OK)


async def _kvm_works(architecture: Architecture, answer: Path) -> bool:
    if not _opens():
        return False
    if architecture.name != "x86_64":
        return True  # elsewhere it is not known to fail late
    boot_id = _boot_id()
    known = _known(answer)
    if known is not None and (known.boot_id, known.program) == (boot_id, architecture.program):
        return known.works
    works = await runs_a_guest(architecture.program, Accelerator.KVM, "host")
    _keep(answer, _Known(boot_id, architecture.program, works))
    return works


def _boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _known(answer: Path) -> _Known | None:
    try:
        return msgspec.json.decode(answer.read_bytes(), type=_Known)
    except (OSError, msgspec.DecodeError):
        return None


def _keep(answer: Path, known: _Known) -> None:
    with contextlib.suppress(OSError):  # then it is asked again next time
        answer.parent.mkdir(parents=True, exist_ok=True)
        written = answer.with_name(f"{answer.name}.{os.getpid()}")
        written.write_bytes(msgspec.json.encode(known))
        written.rename(answer)


async def runs_a_guest(program: str, accelerator: Accelerator, cpu: str) -> bool:
    """Run the small guest and return whether it came to its end."""
    rom = bytearray(_ROM_BYTES)
    rom[: len(_GUEST)] = _GUEST
    rom[_FIRST_INSTRUCTION : _FIRST_INSTRUCTION + len(_JUMP_TO_START)] = _JUMP_TO_START
    with tempfile.NamedTemporaryFile(prefix="outspread-kvm-", suffix=".rom") as file:
        file.write(rom)
        file.flush()
        started = await asyncio.create_subprocess_exec(
            *(program, "-machine", "pc", "-accel", accelerator.value, "-cpu", cpu, "-m", "16", "-bios", file.name),
            *("-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"),
            *("-device", "isa-debug-exit,iobase=0xf4,iosize=4"),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            async with asyncio.timeout(_RUNS_WITHIN_S):
                return await started.wait() == _PASSED
        except TimeoutError:
            return False
        finally:
            if started.returncode is None:
                await asyncio.shield(end_process(QemuProcess(started.pid, start_time(started.pid), ())))
                await started.wait()
