"""From the fields of a system to a machine to be."""

from pathlib import Path
from typing import Any

import pytest

from outspread.errors import UserError
from outspread.machines.contract import MachineRequest
from outspread.machines.qemu.guest import Guest, guest_of
from outspread.machines.qemu.images import Places
from outspread.machines.qemu.switches import Switches
from outspread.project.model import Backend, System


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Places:
    monkeypatch.setattr("outspread.machines.qemu.guest.shutil.which", lambda name: None if "ppc" in name else f"/usr/bin/{name}")
    for name in ("debian-12", "debian-12-arm64", "debian-12-ppc64el", "other"):
        (tmp_path / f"{name}.img").touch()
    return Places(project=tmp_path, ours=tmp_path / "none", spreads=tmp_path)


def made(places: Places, name: str = "debian-12", **settings: Any) -> Guest:
    host, memory_bytes = settings.pop("host", "x86_64"), settings.pop("memory_bytes", 0)
    system = System(name=name, backend="qemu", **{"image": name, **settings})
    backend = Backend(name="qemu", type="qemu", systems={name: system}, memory_bytes=memory_bytes)
    return guest_of(MachineRequest("id", "run", "project", "/", backend, system), Switches(), places, host)


def test_unless_told_a_machine_is_what_spread_makes(places: Places) -> None:
    guest = made(places)
    assert guest.architecture.name == "x86_64"
    assert (guest.memory_mib, guest.cores, guest.drive, guest.network, guest.firmware) == (1500, 1, "ide", "e1000", None)


def test_fields_say_otherwise(places: Places) -> None:
    devices = (("drive", "virtio"), ("network", "virtio-net-pci"))
    guest = made(places, memory_bytes=4 * 2**30, cores=4, device_backends=devices)
    assert (guest.memory_mib, guest.cores, guest.drive, guest.network) == (4096, 4, "virtio", "virtio-net-pci")


@pytest.mark.parametrize(
    ("name", "settings", "host", "architecture"),
    [
        ("debian-12", {}, "x86_64", "x86_64"),
        ("debian-12", {}, "s390x", "s390x"),  # the host's own, unless told
        ("debian-12", {"architecture": "s390x"}, "x86_64", "s390x"),
        ("debian-12-arm64", {"architecture": "amd64"}, "x86_64", "x86_64"),
        ("other", {"image": "debian-12"}, "x86_64", "x86_64"),
    ],
)
def test_whose_architecture(places: Places, name: str, settings: dict[str, str], host: str, architecture: str) -> None:
    assert made(places, name, host=host, **settings).architecture.name == architecture


@pytest.mark.parametrize(
    ("name", "settings", "why"),
    [
        ("debian-12", {"architecture": "z80"}, "unknown architecture 'z80'"),
        ("debian-12-ppc64el", {}, "there is no qemu-system-ppc64 on this host"),
        ("debian-12", {"cores": -1}, "it cannot have -1 cores"),
        ("debian-12", {"device_backends": (("disk", "virtio"),)}, "device-backends has no 'disk'"),
        ("debian-12", {"device_backends": (("drive", "virtio,readonly=on"),)}, "'virtio,readonly=on' is no model of a drive"),
        ("debian-12", {"device_backends": (("network", ""),)}, "'' is no model of a network"),
        ("plan9", {}, "cannot find qemu image"),
    ],
)
def test_what_cannot_be_is_the_users_error(places: Places, name: str, settings: dict[str, object], why: str) -> None:
    with pytest.raises(UserError, match=f"^cannot make qemu:{name}: {why}"):
        made(places, name, **settings)
