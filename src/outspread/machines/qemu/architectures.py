"""The architectures that machines can have: QEMU's program for each, and what its machines are made of. Pure."""

import re

from msgspec import Struct


class Architecture(Struct, frozen=True):
    """An architecture, with the devices that its machines have unless a system says otherwise."""

    name: str  # as Linux calls it
    program: str
    machine: str
    drive: str
    network: str
    emulated_cpu: str = ""  # "": QEMU's own choice
    firmware: tuple[str, ...] = ()  # where what it cannot boot without may be; none: QEMU brings it
    uefi: tuple[str, ...] = ()  # where the firmware for ``bios: uefi`` may be
    has_generation_id: bool = False  # whether QEMU can tell a guest that it is a copy


_ARM_UEFI = ("/usr/share/AAVMF/AAVMF_CODE.fd", "/usr/share/qemu-efi-aarch64/QEMU_EFI.fd", "/usr/share/edk2/aarch64/QEMU_EFI.fd")

_X86_64 = Architecture(
    "x86_64",
    "qemu-system-x86_64",
    "pc",
    "ide",  # as Spread: images may name /dev/sda
    "e1000",
    emulated_cpu="max",  # QEMU's own is too old for some systems of today
    uefi=(
        "/usr/share/OVMF/OVMF_CODE.fd",
        "/usr/share/OVMF/OVMF_CODE_4M.fd",
        "/usr/share/edk2/x64/OVMF_CODE.4m.fd",
        "/usr/share/edk2/ovmf/OVMF_CODE.fd",
    ),
    has_generation_id=True,
)
_VIRT = ("virt", "virtio", "virtio-net-pci")

_ARCHITECTURES = {
    one.name: one
    for one in (
        _X86_64,
        Architecture("aarch64", "qemu-system-aarch64", *_VIRT, emulated_cpu="max", firmware=_ARM_UEFI, uefi=_ARM_UEFI),
        Architecture("armv7l", "qemu-system-arm", *_VIRT, firmware=("/usr/share/AAVMF/AAVMF32_CODE.fd",)),
        Architecture("riscv64", "qemu-system-riscv64", *_VIRT, firmware=("/usr/share/qemu-efi-riscv64/RISCV_VIRT_CODE.fd",)),
        Architecture("ppc64le", "qemu-system-ppc64", "pseries", "virtio", "virtio-net-pci"),
        Architecture("s390x", "qemu-system-s390x", "s390-ccw-virtio", "virtio", "virtio-net-ccw", emulated_cpu="max"),
    )
}

#: What else they are called, by Debian for one. A processor of 64 bits runs systems of 32.
_OTHER_NAMES = {
    "amd64": "x86_64",
    "i386": "x86_64",
    "i686": "x86_64",
    "arm64": "aarch64",
    "armhf": "armv7l",
    "arm": "armv7l",
    "ppc64el": "ppc64le",
}

NAMES = tuple(sorted({*_ARCHITECTURES, *_OTHER_NAMES}))

_AT_THE_END = re.compile(rf"[-_.]({'|'.join(sorted(map(re.escape, NAMES), key=len, reverse=True))})$")


def architecture_named(name: str) -> Architecture | None:
    """Return the architecture that is called so; None when there is none."""
    return _ARCHITECTURES.get(_OTHER_NAMES.get(name, name))


def architecture_in(name: str) -> Architecture | None:
    """Return the architecture that the name of a system or an image ends with, as in ``debian-12-arm64``."""
    found = _AT_THE_END.search(name.lower().replace("x86-64", "x86_64"))
    return architecture_named(found[1]) if found else None


def architecture_of_host(machine: str) -> Architecture:
    """Return the architecture of a host that says so of itself; x86_64, as Spread, for one that QEMU has no name for."""
    return architecture_named(machine) or _X86_64
