"""Where LXD and Incus serve, and where images come from: by the environment, and the files of the ``lxc`` or ``incus`` client."""

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import yaml
from msgspec import Struct

from outspread.errors import UserError

#: Sockets, in the order in which they are tried.
_SOCKETS = (
    "/var/snap/lxd/common/lxd/unix.socket",
    "/var/lib/lxd/unix.socket",
    "/run/incus/unix.socket",
    "/var/lib/incus/unix.socket",
)

#: The image servers that both clients know without being told.
IMAGE_SERVERS = {
    "ubuntu": "https://cloud-images.ubuntu.com/releases",
    "ubuntu-daily": "https://cloud-images.ubuntu.com/daily",
    "images": "https://images.linuxcontainers.org",
}


class Server(Struct, frozen=True):
    """One server: a socket of this host, or a URL with what its client shows and what it has to show."""

    socket: str = ""
    url: str = ""
    client_certificate: str = ""  # paths
    client_key: str = ""
    certificate: str = ""

    def __str__(self) -> str:
        return self.socket or self.url


def local_server(environment: Mapping[str, str]) -> Server:
    """Return the server of this host. Raises UserError when there is none."""
    for variable in ("LXD_SOCKET", "INCUS_SOCKET"):
        if environment.get(variable):
            return Server(socket=environment[variable])
    for variable in ("LXD_DIR", "INCUS_DIR"):
        if environment.get(variable):
            return Server(socket=f"{environment[variable]}/unix.socket")
    for socket in _SOCKETS:
        if Path(socket).exists():
            return Server(socket=socket)
    raise UserError(
        "cannot use LXD: it is not installed here, nor is Incus",
        hint="install one of them, or name its socket by LXD_SOCKET or INCUS_SOCKET",
    )


def remote_server(name: str, environment: Mapping[str, str]) -> Server:
    """Return the server that the client calls ``name``; "" and ``local`` are this host's. Raises UserError."""
    if name in ("", "local"):
        return local_server(environment)
    for directory in _client_directories(environment):
        remote = _remotes(directory).get(name, {})
        address = str(remote.get("addr", ""))
        if address.startswith("unix://"):
            return Server(socket=address.removeprefix("unix://")) if len(address) > 7 else local_server(environment)
        if urlsplit(address).scheme == "https":
            return _elsewhere(directory, name, address)
    raise UserError(
        f"cannot use the LXD server {name}: the client does not know it",
        hint=f"lxc remote add {name} ADDRESS, or incus remote add",
    )


def remote_servers(environment: Mapping[str, str]) -> dict[str, Server]:
    """Return the servers elsewhere that the client may make instances on, by the names that it has for them."""
    found: dict[str, Server] = {}
    for directory in _client_directories(environment):
        for name, remote in _remotes(directory).items():
            address = str(remote.get("addr", ""))
            is_image_server = remote.get("public") or remote.get("protocol", "lxd") not in ("", "lxd", "incus")
            if urlsplit(address).scheme == "https" and not is_image_server:
                found.setdefault(name, _elsewhere(directory, name, address))
    return found


def _elsewhere(directory: Path, name: str, address: str) -> Server:
    certificate = directory / "servercerts" / f"{name}.crt"
    return Server(
        url=address.rstrip("/"),
        client_certificate=str(directory / "client.crt"),
        client_key=str(directory / "client.key"),
        certificate=str(certificate) if certificate.exists() else "",
    )


def image_server(name: str, environment: Mapping[str, str]) -> str:
    """Return the URL of the image server that the client calls ``name``. Raises UserError."""
    for directory in _client_directories(environment):
        remote = _remotes(directory).get(name, {})
        if remote.get("protocol") == "simplestreams":
            return str(remote.get("addr", ""))
    if name in IMAGE_SERVERS:
        return IMAGE_SERVERS[name]
    raise UserError(f"cannot find an image: there is no image server {name}", hint="lxc remote list says which there are")


def _client_directories(environment: Mapping[str, str]) -> list[Path]:
    home = Path(environment.get("HOME", "/"))
    named = [Path(environment[variable]) for variable in ("LXD_CONF", "INCUS_CONF") if environment.get(variable)]
    return [*named, home / "snap/lxd/common/config", home / ".config/lxc", home / ".config/incus"]


def _remotes(directory: Path) -> dict[str, dict[str, object]]:
    file = directory / "config.yml"
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserError(f"cannot read {file}: {error}") from error
    remotes = content.get("remotes") if isinstance(content, dict) else None
    return {
        str(name): remote for name, remote in (remotes if isinstance(remotes, dict) else {}).items() if isinstance(remote, dict)
    }
