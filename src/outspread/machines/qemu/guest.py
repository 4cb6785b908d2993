"""What a machine is to be: the fields of its system, checked and made whole. Pure but for looking its files up."""

import re
import shutil
from enum import StrEnum

from msgspec import Struct

from outspread.errors import UserError
from outspread.machines.contract import MachineRequest
from outspread.machines.qemu.architectures import (
    NAMES,
    Architecture,
    architecture_in,
    architecture_named,
    architecture_of_host,
)
from outspread.machines.qemu.images import DiskImage, Firmware, Places, find_firmware, find_image
from outspread.machines.qemu.switches import Switches

_MIB = 1024 * 1024
_USUAL_MEMORY_MIB = 1500  # Spread's
_DEVICES = ("drive", "network")
_DEVICE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


class Accelerator(StrEnum):
    """What runs the machine's instructions: this host's processors, or software."""

    KVM = "kvm"
    TCG = "tcg"


class Guest(Struct, frozen=True):
    """A machine to be, by all that its emulation depends on."""

    architecture: Architecture
    image: DiskImage
    firmware: Firmware | None
    memory_mib: int
    cores: int
    drive: str
    network: str
    shows_display: bool = False


def guest_of(request: MachineRequest, switches: Switches, places: Places, host: str) -> Guest:
    """Return the machine that is asked for. Raises UserError for one that cannot be, as the fields or this host's files stand.

    ``host`` is the host's architecture, as Linux calls it.
    """
    system = request.system
    name = f"{request.backend.name}:{system.name}"
    architecture = _architecture(request, host)
    if shutil.which(architecture.program) is None:
        raise UserError(
            f"cannot make {name}: there is no {architecture.program} on this host",
            hint=f"install QEMU for {architecture.name} (Debian: {_package(architecture)})",
        )
    if system.cores < 0:
        raise UserError(f"cannot make {name}: it cannot have {system.cores} cores")
    devices = dict(system.device_backends)
    for device, value in devices.items():
        if device not in _DEVICES:
            raise UserError(f"cannot make {name}: device-backends has no {device!r}", hint=f"it has {' and '.join(_DEVICES)}")
        if not _DEVICE.fullmatch(value):
            raise UserError(f"cannot make {name}: {value!r} is no model of a {device}", hint="name one as QEMU does: virtio")
    return Guest(
        architecture,
        find_image(system.image, name, places),
        find_firmware(architecture, system.bios, switches.bios_directory, places, system=name),
        memory_mib=request.backend.memory_bytes // _MIB or _USUAL_MEMORY_MIB,
        cores=system.cores or 1,
        drive=devices.get("drive", architecture.drive),
        network=devices.get("network", architecture.network),
        shows_display=switches.shows_display,
    )


def _architecture(request: MachineRequest, host: str) -> Architecture:
    system = request.system
    if not system.architecture:
        return architecture_in(system.image) or architecture_in(system.name) or architecture_of_host(host)
    named = architecture_named(system.architecture)
    if named is None:
        raise UserError(
            f"cannot make {request.backend.name}:{system.name}: unknown architecture {system.architecture!r}",
            hint=f"known: {', '.join(NAMES)}",
        )
    return named


def _package(architecture: Architecture) -> str:
    families = {"x86_64": "x86", "aarch64": "arm", "armv7l": "arm", "ppc64le": "ppc"}
    return f"qemu-system-{families.get(architecture.name, 'misc')}"
