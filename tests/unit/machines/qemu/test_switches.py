"""The environment variables of Spread's users."""

import pytest

from outspread.machines.qemu.switches import Switches, switches_of


@pytest.mark.parametrize(
    ("environment", "switches"),
    [
        ({}, Switches()),
        ({"SPREAD_QEMU_GUI": "1"}, Switches(shows_display=True)),
        ({"SPREAD_QEMU_GUI": "0"}, Switches()),
        ({"SPREAD_QEMU_GUI": "yes"}, Switches()),  # as Spread: 1 alone counts
        ({"SPREAD_QEMU_KVM": "1"}, Switches(kvm=True)),
        ({"SPREAD_QEMU_KVM": "0"}, Switches(kvm=False)),
        ({"SPREAD_QEMU_KVM": ""}, Switches()),
        ({"SPREAD_QEMU_FALLBACK_BIOS_PATH": "/snap/bios"}, Switches(bios_directory="/snap/bios")),
    ],
)
def test_what_they_ask_for(environment: dict[str, str], switches: Switches) -> None:
    assert switches_of(environment) == switches
