"""Which image a name means."""

import pytest

from outspread.machines.lxd.images import LocalImage, RemoteImage, local_image, remote_image

FINGERPRINT = "0123456789abcdef" * 4
IMAGES = [
    LocalImage(FINGERPRINT, ("debian-12", "own"), os="debian", release="bookworm", version="12"),
    LocalImage("b" * 64, (), os="ubuntu", release="noble", version="24.04"),
    LocalImage("c" * 64, (), os="fedora", release="40"),
    LocalImage("d" * 64, (), os="fedora", release="40"),
    LocalImage("e" * 64, ("debian-12",), os="debian", release="bookworm", is_virtual_machine=True),
]


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("debian-12", FINGERPRINT),
        ("local:own", FINGERPRINT),
        (FINGERPRINT[:12], FINGERPRINT),
        (FINGERPRINT[:11], ""),
        ("debian-bookworm", FINGERPRINT),
        ("ubuntu-24.04", "b" * 64),
        ("ubuntu-noble", "b" * 64),
        ("ubuntu-22.04", ""),
        ("fedora-40", ""),  # which of the two?
        ("images:debian/12", ""),
        ("ubuntu", ""),
    ],
)
def test_what_the_server_has_is_found_by_alias_fingerprint_or_properties(name: str, found: str) -> None:
    assert local_image(name, IMAGES, virtual_machine=False) == found


def test_images_of_virtual_machines_are_for_those_only() -> None:
    assert local_image("debian-12", IMAGES, virtual_machine=True) == "e" * 64
    assert local_image("own", IMAGES, virtual_machine=True) == ""


@pytest.mark.parametrize(
    ("name", "machine", "wanted"),
    [
        ("ubuntu-24.04", "x86_64", RemoteImage("ubuntu", "24.04/amd64")),
        ("ubuntu-16.04", "aarch64", RemoteImage("ubuntu", "16.04/arm64")),
        ("debian-12", "x86_64", RemoteImage("images", "debian/12/amd64")),
        ("opensuse-15.6", "ppc64le", RemoteImage("images", "opensuse/15.6/ppc64el")),
        ("alpine-3.20-cloud", "riscv64", RemoteImage("images", "alpine/3.20/cloud/riscv64")),
        ("images:debian/12/cloud", "x86_64", RemoteImage("images", "debian/12/cloud")),
        ("site:special", "x86_64", RemoteImage("site", "special")),
    ],
)
def test_others_come_from_an_image_server(name: str, machine: str, wanted: RemoteImage) -> None:
    assert remote_image(name, machine) == wanted
