"""What QEMU is told."""

from itertools import pairwise
from pathlib import Path

import pytest

from outspread.machines.qemu.architectures import architecture_of_host
from outspread.machines.qemu.command_line import Disk, OwnPart, command_line, kind_part
from outspread.machines.qemu.guest import Accelerator, Guest
from outspread.machines.qemu.images import DiskImage, Firmware

IMAGE = DiskImage(Path("/images/a,b.img"), "raw")
OWN = OwnPart("id1", Path("/state/with,comma/id1"), serial=10, monitor=11, control=12)


def guest_with(**settings: object) -> Guest:
    fields = {"firmware": None, "memory_mib": 1500, "cores": 1, "drive": "ide", "network": "e1000", **settings}
    return Guest(architecture_of_host("x86_64"), IMAGE, **fields)  # type: ignore[arg-type] # those of Guest


def test_a_machine_as_spread_makes_it() -> None:
    assert command_line(guest_with(), Accelerator.TCG, Disk(IMAGE), OWN) == [
        *("qemu-system-x86_64", "-machine", "pc", "-accel", "tcg", "-cpu", "max", "-m", "1500", "-smp", "1", "-display", "none"),
        *("-device", "e1000,netdev=net0,romfile="),
        *("-drive", "if=ide,file=/images/a,,b.img,format=raw,cache=unsafe,snapshot=on"),
        *("-name", "guest=outspread-id1", "-netdev", "user,id=net0,hostfwd=tcp:127.0.0.1:0-:22"),
        *("-chardev", "socket,id=serial0,fd=10,server=on,wait=off,logfile=/state/with,,comma/id1/serial.log,logappend=on"),
        *("-serial", "chardev:serial0"),
        *("-chardev", "socket,id=monitor0,fd=11,server=on,wait=off", "-mon", "chardev=monitor0,mode=readline"),
        *("-chardev", "socket,id=control0,fd=12,server=on,wait=off", "-mon", "chardev=control0,mode=control"),
    ]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"drive": "virtio"}, [("-drive", "if=virtio,file=/images/a,,b.img,format=raw,cache=unsafe,snapshot=on")]),
        (
            {"drive": "nvme"},
            [
                ("-drive", "if=none,id=disk0,file=/images/a,,b.img,format=raw,cache=unsafe,snapshot=on"),
                ("-device", "nvme,drive=disk0,serial=disk0"),
            ],
        ),
        ({"network": "virtio"}, [("-device", "virtio-net-pci,netdev=net0,romfile=")]),
        ({"network": "virtio-net-ccw"}, [("-device", "virtio-net-ccw,netdev=net0")]),
        ({"cores": 4, "memory_mib": 4096}, [("-smp", "4"), ("-m", "4096")]),
        ({"firmware": Firmware(Path("/bios/uefi.img"))}, [("-bios", "/bios/uefi.img")]),
        (
            {"firmware": Firmware(Path("/CODE.fd"), Path("/VARS.fd"))},
            [
                ("-drive", "if=pflash,unit=0,format=raw,readonly=on,file=/CODE.fd"),
                ("-drive", "if=pflash,unit=1,format=raw,snapshot=on,file=/VARS.fd"),
            ],
        ),
    ],
)
def test_what_differs(settings: dict[str, object], said: list[tuple[str, str]]) -> None:
    pairs = list(pairwise(command_line(guest_with(**settings), Accelerator.TCG, Disk(IMAGE), OWN)))
    assert [pair for pair in said if pair not in pairs] == []


def test_only_where_somebody_looks_is_there_a_display() -> None:
    assert "-display" not in kind_part(guest_with(shows_display=True), Accelerator.TCG)


def test_the_hosts_processors_are_lent_as_they_are() -> None:
    pairs = list(pairwise(kind_part(guest_with(), Accelerator.KVM)))
    assert ("-accel", "kvm") in pairs
    assert ("-cpu", "host") in pairs


def test_the_disk_of_a_state_to_be_saved_takes_what_is_written() -> None:
    assert "snapshot" not in " ".join(command_line(guest_with(), Accelerator.TCG, Disk(IMAGE, keeps_changes=True), OWN))
