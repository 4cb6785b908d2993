"""Which architecture a name means."""

import pytest

from outspread.machines.qemu.architectures import NAMES, architecture_in, architecture_named, architecture_of_host


@pytest.mark.parametrize(
    ("name", "architecture"),
    [
        ("debian-12-arm64", "aarch64"),
        ("ubuntu-24.04-aarch64", "aarch64"),
        ("debian-12-amd64", "x86_64"),
        ("fedora-x86_64", "x86_64"),
        ("fedora-x86-64", "x86_64"),
        ("debian-12-i386", "x86_64"),
        ("debian.armhf", "armv7l"),
        ("debian_riscv64", "riscv64"),
        ("sles-s390x", "s390x"),
        ("debian-12-ppc64el", "ppc64le"),
        ("ubuntu-16.04-64", None),
        ("ubuntu-24.04", None),
        ("charm", None),
        ("arm64-debian", None),
    ],
)
def test_the_end_of_a_name_may_say_it(name: str, architecture: str | None) -> None:
    found = architecture_in(name)
    assert (found.name if found else None) == architecture


def test_every_name_is_one() -> None:
    assert all(architecture_named(name) for name in NAMES)
    assert architecture_named("z80") is None


def test_an_unknown_host_is_taken_for_one_of_the_usual_kind() -> None:
    assert architecture_of_host("aarch64").program == "qemu-system-aarch64"
    assert architecture_of_host("sparc64").program == "qemu-system-x86_64"
