"""The command lines that QEMU is started with. Pure."""

from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from outspread.machines.qemu.guest import Accelerator, Guest
from outspread.machines.qemu.images import DiskImage

#: What the name of every QEMU of ours begins with; the machine's id follows.
MARK = "outspread-"

#: Drives that the board makes room for; any other name is a device's model.
_INTERFACES = frozenset({"ide", "scsi", "sd", "mtd", "floppy", "virtio"})
_USUAL_NETWORK = {"virtio": "virtio-net-pci"}
_NETWORK_ROMS = frozenset({"e1000", "e1000e", "rtl8139", "virtio-net-pci"})


class OwnPart(Struct, frozen=True):
    """What sets one machine apart from others of its kind. The numbers are descriptors of listening sockets."""

    machine_id: str
    directory: Path
    serial: int
    monitor: int
    control: int  # QMP
    generation_id: str = ""


class Disk(Struct, frozen=True):
    """The machine's disk: an image that stays as it is, unless ``keeps_changes``."""

    image: DiskImage
    keeps_changes: bool = False


def command_line(guest: Guest, accelerator: Accelerator, disk: Disk, own: OwnPart, *more: str) -> list[str]:
    """Return QEMU's arguments, its program first; ``more`` come last."""
    return [*kind_part(guest, accelerator), *_disk_part(guest, disk), *_own_part(guest, own), *more]


def kind_part(guest: Guest, accelerator: Accelerator) -> list[str]:
    """Return the arguments that all machines of a kind share: a saved state fits those only that have the same."""
    kind = guest.architecture
    cpu = "host" if accelerator is Accelerator.KVM else kind.emulated_cpu
    return [
        kind.program,
        *("-machine", kind.machine, "-accel", accelerator.value),
        *(("-cpu", cpu) if cpu else ()),
        *("-m", str(guest.memory_mib), "-smp", str(guest.cores)),
        *(() if guest.shows_display else ("-display", "none")),
        *_firmware_part(guest),
        # the network first: its place among the devices decides the name that it has in the guest
        *("-device", _network(guest.network)),
    ]


def _own_part(guest: Guest, own: OwnPart) -> list[str]:
    log = _escaped(own.directory / "serial.log")
    generation = ("-device", f"vmgenid,guid={own.generation_id}") if own.generation_id else ()
    return [
        *("-name", f"guest={MARK}{own.machine_id}"),
        # port 0: QEMU's network takes one that is free, and holds it from then on
        *("-netdev", "user,id=net0,hostfwd=tcp:127.0.0.1:0-:22"),
        *("-chardev", f"socket,id=serial0,fd={own.serial},server=on,wait=off,logfile={log},logappend=on"),
        *("-serial", "chardev:serial0"),
        *("-chardev", f"socket,id=monitor0,fd={own.monitor},server=on,wait=off", "-mon", "chardev=monitor0,mode=readline"),
        *("-chardev", f"socket,id=control0,fd={own.control},server=on,wait=off", "-mon", "chardev=control0,mode=control"),
        *(generation if guest.architecture.has_generation_id else ()),
    ]


def _firmware_part(guest: Guest) -> Sequence[str]:
    if guest.firmware is None:
        return ()
    if guest.firmware.variables is None:
        return ("-bios", str(guest.firmware.code))
    return (
        *("-drive", f"if=pflash,unit=0,format=raw,readonly=on,file={_escaped(guest.firmware.code)}"),
        *("-drive", f"if=pflash,unit=1,format=raw,snapshot=on,file={_escaped(guest.firmware.variables)}"),
    )


def _disk_part(guest: Guest, disk: Disk) -> Sequence[str]:
    # its changes are thrown away, or made again if the host dies: nothing waits for the host's disk
    drive = f"file={_escaped(disk.image.path)},format={disk.image.format},cache=unsafe"
    drive += "" if disk.keeps_changes else ",snapshot=on"
    if guest.drive in _INTERFACES:
        return ("-drive", f"if={guest.drive},{drive}")
    serial = ",serial=disk0" if guest.drive == "nvme" else ""  # it cannot be without one
    return ("-drive", f"if=none,id=disk0,{drive}", "-device", f"{guest.drive},drive=disk0{serial}")


def _network(name: str) -> str:
    model = _USUAL_NETWORK.get(name, name)
    # without the ROM to boot from the network, which takes its time
    return f"{model},netdev=net0{',romfile=' if model in _NETWORK_ROMS else ''}"


def _escaped(path: Path) -> str:
    return str(path).replace(",", ",,")
