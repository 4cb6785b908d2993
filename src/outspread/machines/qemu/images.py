"""Find the files that a machine is made of: its image and its firmware. Looks at the disk, writes nothing."""

from pathlib import Path

from msgspec import Struct

from outspread.errors import UserError
from outspread.machines.qemu.architectures import Architecture

_UEFI = "uefi"
_SUFFIXES = (".img", ".qcow2", ".raw")
_FORMATS = {b"QFI\xfb": "qcow2", b"KDMV": "vmdk", b"vhdxfile": "vhdx"}


class Places(Struct, frozen=True):
    """Where to look."""

    project: Path  # its root
    ours: Path  # images of this user, and "bios" below it
    spreads: Path  # as Spread has them


class DiskImage(Struct, frozen=True):
    """A disk image that machines only read."""

    path: Path
    format: str


class Firmware(Struct, frozen=True):
    """What a machine boots with; ``variables`` is where UEFI keeps its settings, if that is a file of its own."""

    code: Path
    variables: Path | None = None


def find_image(name: str, system: str, places: Places) -> DiskImage:
    """Return the image called ``name``: a path in the project if it holds a slash, else a file of the user's.

    Raises UserError when there is none.
    """
    if "/" in name:
        candidates = [Path(places.project, name)]
    else:
        candidates = [directory / f"{name}{suffix}" for directory in (places.ours, places.spreads) for suffix in _SUFFIXES]
    for path in candidates:
        if path.is_file():
            return DiskImage(path.resolve(), _format_of(path, system))
    where = candidates[0] if "/" in name else f"{places.spreads / name}.img"
    raise UserError(
        f"cannot make {system}: cannot find qemu image at {where}",
        hint=f"put a disk image there or into {places.ours}, or name one of the project's with image: DIR/FILE",
    )


def find_firmware(architecture: Architecture, bios: str, fallback: str, places: Places, *, system: str) -> Firmware | None:
    """Return the firmware that a system wants; None for that which QEMU brings. Raises UserError when there is none.

    Spread's places come first: its own directory, then ``fallback`` (a directory), then that of the distribution.
    """
    if bios not in ("", _UEFI):
        raise UserError(f"cannot make {system}: unknown bios {bios!r}", hint=f"the choice is {_UEFI}, or leave the field out")
    if not bios and not architecture.firmware:
        return None
    if not bios:
        found = _first([Path(path) for path in architecture.firmware])
        looked = architecture.firmware
    else:
        directories = [places.ours / "bios", places.spreads / "bios", *([Path(fallback)] if fallback else [])]
        own = [directory / f"{_UEFI}.img" for directory in directories]
        looked = (*map(str, own), *architecture.uefi)
        found = _first([Path(path) for path in looked])
    if found is None:
        raise UserError(
            f"cannot make {system}: there is no firmware to boot {architecture.name} with: none of {', '.join(looked)}",
            hint="install it (Debian: ovmf, qemu-efi-aarch64, qemu-efi-arm), or set SPREAD_QEMU_FALLBACK_BIOS_PATH",
        )
    return Firmware(found, _variables_of(found))


def _first(paths: list[Path]) -> Path | None:
    return next((path for path in paths if path.is_file()), None)


def _variables_of(code: Path) -> Path | None:
    """Return the file beside one of ``…_CODE….fd`` that distributions put there for the settings."""
    if "CODE" not in code.name:
        return None
    variables = code.with_name(code.name.replace("CODE", "VARS"))
    return variables if variables.is_file() else None


def _format_of(path: Path, system: str) -> str:
    """Return the format by the first bytes; what says nothing is the disk itself."""
    try:
        with path.open("rb") as file:
            start = file.read(8)
    except OSError as error:
        raise UserError(f"cannot make {system}: cannot read the image {path}: {error.strerror}") from error
    return next((name for magic, name in _FORMATS.items() if start.startswith(magic)), "raw")
