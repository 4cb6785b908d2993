"""What is asked of a server for one machine. Pure."""

from collections.abc import Mapping

from msgspec import Struct

from outspread.machines.contract import MachineRequest
from outspread.machines.lxd import instance_names

Json = dict[str, object]
_MEBIBYTE = 1024 * 1024


class ImageSource(Struct, frozen=True):
    """Where the image is: on the server itself by its fingerprint, or on an image server by its alias."""

    fingerprint: str = ""
    server_url: str = ""
    alias: str = ""


def instance_request(request: MachineRequest, name: str, source: ImageSource, default_devices: Mapping[str, object]) -> Json:
    """Return the body that asks for the instance; ``default_devices`` are those that its profiles give it."""
    backend, system = request.backend, request.system
    tags = {
        instance_names.MACHINE_TAG: request.machine_id,
        instance_names.RUN_TAG: request.run_id,
        instance_names.BACKEND_TAG: backend.name,
        instance_names.SYSTEM_TAG: system.name,
        instance_names.PROJECT_TAG: request.project,
    }
    sizes = {"limits.memory": f"{backend.memory_bytes // _MEBIBYTE}MiB"} if backend.memory_bytes else {}
    body: Json = {
        "name": name,
        "type": "virtual-machine" if is_virtual_machine(request) else "container",
        "config": {**sizes, **dict(backend.config), **dict(system.config), **tags},
        "source": _source(source),
    }
    if profiles := system.profiles or backend.profiles:
        body["profiles"] = list(profiles)
    if storage := system.storage_bytes or backend.storage_bytes:
        root = next((device for device in default_devices.items() if _is_root(device[1])), None)
        name_of_root, plain = root or ("root", {"type": "disk", "path": "/", "pool": "default"})
        assert isinstance(plain, dict)
        body["devices"] = {name_of_root: {**plain, "size": f"{storage // _MEBIBYTE}MiB"}}
    return body


def is_virtual_machine(request: MachineRequest) -> bool:
    """Tell whether a virtual machine is wanted, not a container."""
    return request.system.vm or request.backend.vm


def _source(source: ImageSource) -> Json:
    if source.fingerprint:
        return {"type": "image", "fingerprint": source.fingerprint}
    return {"type": "image", "mode": "pull", "protocol": "simplestreams", "server": source.server_url, "alias": source.alias}


def _is_root(device: object) -> bool:
    return isinstance(device, dict) and device.get("type") == "disk" and device.get("path") == "/"
