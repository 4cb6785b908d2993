"""The environment variables that Spread's users know the qemu backend by. Pure."""

from collections.abc import Mapping

from msgspec import Struct


class Switches(Struct, frozen=True):
    """What the user's environment asks for."""

    shows_display: bool = False
    kvm: bool | None = None  # None: where it works
    bios_directory: str = ""


def switches_of(environment: Mapping[str, str]) -> Switches:
    """Return the switches as set; those of KVM are 0 and 1, and anything else leaves it to us."""
    return Switches(
        shows_display=environment.get("SPREAD_QEMU_GUI", "") == "1",
        kvm={"0": False, "1": True}.get(environment.get("SPREAD_QEMU_KVM", "")),
        bios_directory=environment.get("SPREAD_QEMU_FALLBACK_BIOS_PATH", ""),
    )
