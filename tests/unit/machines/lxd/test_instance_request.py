"""What a server is asked for."""

import pytest
from msgspec import structs

from outspread.machines.contract import MachineRequest
from outspread.machines.lxd.instance_names import instance_name
from outspread.machines.lxd.instance_request import ImageSource, instance_request
from outspread.machines.lxd.root_login import root_login_script
from outspread.project.model import Backend, System

LOCAL = ImageSource(fingerprint="f" * 64)


def asked(system: System | None = None, **backend: object) -> MachineRequest:
    system = system or System("debian-12", "lab")
    of = structs.replace(Backend("lab", "lxd", {system.name: system}), **backend)
    return MachineRequest("0123456789abcdef", "run1", "demo", "/root", of, system)


def test_a_plain_container_carries_our_tags() -> None:
    assert instance_request(asked(), "name", LOCAL, {}) == {
        "name": "name",
        "type": "container",
        "source": {"type": "image", "fingerprint": "f" * 64},
        "config": {
            "user.outspread.machine": "0123456789abcdef",
            "user.outspread.run": "run1",
            "user.outspread.backend": "lab",
            "user.outspread.system": "debian-12",
            "user.outspread.project": "demo",
        },
    }


def test_settings_of_the_system_come_before_those_of_the_backend_and_tags_before_all() -> None:
    system = System(
        "debian-12", "lab", config=(("limits.cpu", "2"), ("user.outspread.machine", "other")), profiles=("big",), vm=True
    )
    config = (("limits.cpu", "1"), ("security.nesting", "true"))
    body = instance_request(asked(system, config=config, profiles=("small",), memory_bytes=512 * 2**20), "n", LOCAL, {})
    assert body["type"] == "virtual-machine"
    assert body["profiles"] == ["big"]
    made = body["config"]
    assert isinstance(made, dict)
    assert (made["limits.cpu"], made["security.nesting"], made["limits.memory"]) == ("2", "true", "512MiB")
    assert made["user.outspread.machine"] == "0123456789abcdef"


def test_a_size_of_the_disk_changes_that_of_the_profile() -> None:
    profile = {"eth0": {"type": "nic"}, "disk0": {"type": "disk", "path": "/", "pool": "fast"}}
    body = instance_request(asked(storage_bytes=4 * 2**30), "n", LOCAL, profile)
    assert body["devices"] == {"disk0": {"type": "disk", "path": "/", "pool": "fast", "size": "4096MiB"}}
    assert instance_request(asked(storage_bytes=4 * 2**30), "n", LOCAL, {})["devices"] == {
        "root": {"type": "disk", "path": "/", "pool": "default", "size": "4096MiB"}
    }


def test_an_image_of_a_server_is_pulled() -> None:
    source = ImageSource(server_url="https://images.example", alias="debian/12/amd64")
    assert instance_request(asked(), "n", source, {})["source"] == {
        "type": "image",
        "mode": "pull",
        "protocol": "simplestreams",
        "server": "https://images.example",
        "alias": "debian/12/amd64",
    }


@pytest.mark.parametrize(
    ("system", "name"),
    [
        ("ubuntu-24.04", "spread-0123456789ab-ubuntu-24-04"),
        ("debian-*", "spread-0123456789ab-debian"),
        ("x-" + "y" * 90, "spread-0123456789ab-x-" + "y" * 41),
    ],
)
def test_names_are_host_names(system: str, name: str) -> None:
    assert instance_name("0123456789abcdef", system) == name
    assert len(name) <= 63


def test_a_password_cannot_leave_its_place() -> None:
    script = root_login_script("it's $(reboot)")
    assert b"password='it'\"'\"'s $(reboot)'" in script
