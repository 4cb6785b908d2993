"""Where images and firmware are found."""

import re
from pathlib import Path

import pytest
from msgspec import structs

from outspread.errors import UserError
from outspread.machines.qemu.architectures import architecture_of_host
from outspread.machines.qemu.images import Firmware, Places, find_firmware, find_image

X86 = architecture_of_host("x86_64")


@pytest.fixture
def places(tmp_path: Path) -> Places:
    for name in ("project", "ours/bios", "spreads/bios", "fallback", "usr"):
        (tmp_path / name).mkdir(parents=True)
    return Places(project=tmp_path / "project", ours=tmp_path / "ours", spreads=tmp_path / "spreads")


def test_an_image_is_looked_up_as_spread_does_and_in_our_place_before(places: Places) -> None:
    (places.spreads / "debian-12.img").write_bytes(b"QFI\xfb....")
    found = find_image("debian-12", "qemu:debian-12", places)
    assert (found.path, found.format) == (places.spreads / "debian-12.img", "qcow2")
    (places.ours / "debian-12.qcow2").write_bytes(b"QFI\xfb....")
    assert find_image("debian-12", "qemu:debian-12", places).path == places.ours / "debian-12.qcow2"


@pytest.mark.parametrize(
    ("start", "format_"),
    [(b"QFI\xfb\0\0\0\3", "qcow2"), (b"KDMV\1\0\0\0", "vmdk"), (b"vhdxfile", "vhdx"), (b"\xeb\x63\x90", "raw"), (b"", "raw")],
)
def test_what_an_image_is_is_told_by_its_first_bytes(places: Places, start: bytes, format_: str) -> None:
    (places.ours / "one.img").write_bytes(start)
    assert find_image("one", "qemu:one", places).format == format_


def test_an_image_with_a_slash_is_the_projects(places: Places) -> None:
    (places.project / "images").mkdir()
    (places.project / "images/one.raw").touch()
    assert find_image("images/one.raw", "qemu:one", places).path == places.project / "images/one.raw"
    with pytest.raises(UserError, match=re.escape(f"cannot find qemu image at {places.project}/images/two.raw")):
        find_image("images/two.raw", "qemu:two", places)


def test_an_image_that_is_nowhere_names_the_place_that_spread_names(places: Places) -> None:
    (places.spreads / "dir.img").mkdir()
    with pytest.raises(UserError, match=re.escape(f"cannot make qemu:dir: cannot find qemu image at {places.spreads}/dir.img")):
        find_image("dir", "qemu:dir", places)


def test_uefi_is_looked_up_in_spreads_order(places: Places, tmp_path: Path) -> None:
    usual = tmp_path / "usr/OVMF_CODE.fd"
    kind = structs.replace(X86, uefi=(str(tmp_path / "usr/none.fd"), str(usual)))

    def found() -> Firmware | None:
        return find_firmware(kind, "uefi", str(tmp_path / "fallback"), places, system="qemu:one")

    with pytest.raises(UserError, match="no firmware to boot x86_64 with"):
        found()
    for path in (usual, tmp_path / "fallback/uefi.img", places.spreads / "bios/uefi.img", places.ours / "bios/uefi.img"):
        path.touch()
        assert found() == Firmware(path)


def test_the_settings_of_uefi_come_with_it_where_they_are_a_file(places: Places, tmp_path: Path) -> None:
    code, variables = tmp_path / "usr/OVMF_CODE_4M.fd", tmp_path / "usr/OVMF_VARS_4M.fd"
    code.touch()
    variables.touch()
    kind = structs.replace(X86, uefi=(str(code),))
    assert find_firmware(kind, "uefi", "", places, system="qemu:one") == Firmware(code, variables)


def test_only_what_cannot_do_without_gets_firmware_unasked(places: Places, tmp_path: Path) -> None:
    assert find_firmware(X86, "", "", places, system="qemu:one") is None
    needed = tmp_path / "usr/EFI.fd"
    needed.touch()
    kind = structs.replace(X86, firmware=(str(needed),))
    assert find_firmware(kind, "", "", places, system="qemu:one") == Firmware(needed)


def test_another_bios_is_the_users_error(places: Places) -> None:
    with pytest.raises(UserError, match="cannot make qemu:one: unknown bios 'coreboot'"):
        find_firmware(X86, "coreboot", "", places, system="qemu:one")
