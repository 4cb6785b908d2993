"""Where servers are, by the environment and the client's files."""

from pathlib import Path

import pytest

from outspread.errors import UserError
from outspread.machines.lxd import servers
from outspread.machines.lxd.servers import Server, image_server, local_server, remote_server, remote_servers

CONFIG = """\
default-remote: lab
remotes:
  lab:
    addr: https://lab.example:8443/
    auth_type: tls
    protocol: lxd
  world:
    addr: https://images.example
    protocol: lxd
    public: true
  near:
    addr: unix:///srv/near.socket
  images:
    addr: https://mirror.example/images
    protocol: simplestreams
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    directory = tmp_path / ".config/lxc"
    (directory / "servercerts").mkdir(parents=True)
    (directory / "config.yml").write_text(CONFIG)
    (directory / "servercerts/lab.crt").write_text("certificate")
    return tmp_path


@pytest.mark.parametrize(
    ("environment", "socket"),
    [
        ({"LXD_SOCKET": "/a", "LXD_DIR": "/b"}, "/a"),
        ({"INCUS_SOCKET": "/a"}, "/a"),
        ({"LXD_DIR": "/b", "INCUS_DIR": "/c"}, "/b/unix.socket"),
        ({"INCUS_DIR": "/c"}, "/c/unix.socket"),
    ],
)
def test_the_environment_names_the_server_of_this_host(environment: dict[str, str], socket: str) -> None:
    assert local_server(environment) == Server(socket=socket)


def test_the_usual_places_come_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there = tmp_path / "unix.socket"
    there.touch()
    monkeypatch.setattr(servers, "_SOCKETS", (str(tmp_path / "none"), str(there)))
    assert local_server({}) == Server(socket=str(there))
    monkeypatch.setattr(servers, "_SOCKETS", ())
    with pytest.raises(UserError, match="not installed here, nor is Incus"):
        local_server({})


def test_remotes_are_those_of_the_client(home: Path) -> None:
    environment = {"HOME": str(home), "LXD_DIR": "/b"}
    directory = home / ".config/lxc"
    assert remote_server("lab", environment) == Server(
        url="https://lab.example:8443",
        client_certificate=str(directory / "client.crt"),
        client_key=str(directory / "client.key"),
        certificate=str(directory / "servercerts/lab.crt"),
    )
    assert remote_server("near", environment) == Server(socket="/srv/near.socket")
    assert remote_server("", environment) == remote_server("local", environment) == Server(socket="/b/unix.socket")
    with pytest.raises(UserError, match="LXD server far: the client does not know it"):
        remote_server("far", environment)


def test_remotes_elsewhere_are_those_that_can_have_instances(home: Path) -> None:
    (home / ".config/incus").mkdir()
    (home / ".config/incus/config.yml").write_text(
        CONFIG.replace("  lab:", "  other:").replace("protocol: lxd", "protocol: incus")
    )
    found = remote_servers({"HOME": str(home)})
    assert {name: server.client_key for name, server in found.items()} == {
        "lab": str(home / ".config/lxc/client.key"),
        "other": str(home / ".config/incus/client.key"),
    }
    assert found["lab"] == remote_server("lab", {"HOME": str(home)})


def test_image_servers_may_be_the_users_own(home: Path) -> None:
    assert image_server("images", {"HOME": str(home)}) == "https://mirror.example/images"
    assert image_server("ubuntu", {"HOME": str(home)}) == servers.IMAGE_SERVERS["ubuntu"]
    with pytest.raises(UserError, match="no image server lab"):
        image_server("lab", {"HOME": str(home)})


@pytest.mark.parametrize("text", ["remotes: [", "- a list", "remotes: text", "remotes: {x: 1}"])
def test_a_file_that_is_not_the_clients_says_so_or_nothing(home: Path, text: str) -> None:
    (home / ".config/lxc/config.yml").write_text(text)
    with pytest.raises(UserError):
        remote_server("x", {"HOME": str(home)})
