"""The ``lxd`` backend: instances of LXD or Incus, scripts carried in by the server itself."""

import asyncio
import contextlib
import os
import platform
import time
from collections.abc import Coroutine, Sequence

from msgspec import structs

from outspread.errors import ConnectionLostError, InfrastructureError, NotReadyError, OutspreadError, UserError
from outspread.machines.contract import Machine, MachineRequest, ProgressSink, Shell
from outspread.machines.give_back import give_back
from outspread.machines.lxd import instance_names
from outspread.machines.lxd.api import Json, LxdApi, LxdError
from outspread.machines.lxd.exec_connection import InstanceTarget
from outspread.machines.lxd.images import LocalImage, local_image, remote_image
from outspread.machines.lxd.instance_request import ImageSource, instance_request, is_virtual_machine
from outspread.machines.lxd.root_login import root_login_script
from outspread.machines.lxd.servers import Server, image_server, local_server, remote_server, remote_servers
from outspread.machines.ssh.shell import SshShell, open_ssh_shell

#: How long the server may take to make an instance, an image that has to come from elsewhere included.
_CREATE_WITHIN_S = 1800.0
_START_WITHIN_S = 120.0
_STOP_WITHIN_S = 60.0
#: How long an operation that is under way may keep an instance from being deleted.
_BUSY_FOR_S = 60.0
_BUSY_PAUSE_S = 0.2
_PASSING = ("busy", "is running")
#: How long an operation that cannot be cancelled is waited for before its instance is given up.
_OPERATION_WITHIN_S = 90.0
_ADDRESS_WITHIN_S = 60.0
_ADDRESS_PAUSE_S = 0.1
_SETUP_WITHIN_S = 60.0
_NOT_FOUND = 404
_REMOTE_WITHIN_S = 5.0


class LxdBackend:
    """Implements MachineBackend. What it makes carries our tags in its configuration, and nothing else is ever touched."""

    machines_live_on = True

    def draft(self, request: MachineRequest) -> Machine:
        """Return all but the address: the instance's name is chosen here."""
        name = instance_names.instance_name(request.machine_id, request.system.name)
        return Machine(
            machine_id=request.machine_id,
            backend=request.backend.name,
            backend_type=request.backend.type,
            system=request.system.name,
            label=name,
            username="root",
            password=request.password,
            data={"server": request.backend.location},
        )

    async def allocate(self, request: MachineRequest, progress: ProgressSink) -> Machine:
        """Have the server make and start an instance, and return it when it has an address and root may log in."""
        machine = self.draft(request)
        async with LxdApi(_server_of(machine)) as api:
            body = await _asked(api, request, machine, progress)
            try:
                await _create(api, request, machine, body)
                await _let_root_in(machine)
                data = {**machine.data, instance_names.NAME_NOTE: machine.label}
                return structs.replace(machine, address=await _address(api, machine, progress), data=data)
            except BaseException:
                await give_back(machine, _delete(api, machine))
                raise

    async def connect(self, machine: Machine) -> Shell:
        """Have the server start our agent in the instance."""
        return await _shell_of(machine)

    async def discard(self, machine: Machine) -> None:
        """Stop and delete the instance, if it is the one that carries this machine's tag."""
        async with LxdApi(_server_of(machine)) as api:
            await _delete(api, machine)

    async def existing(self) -> Sequence[Machine]:
        """Return the instances with our tags on this host's server, and on those that its client has as remotes.

        Remotes that do not answer are passed over: they may be those of a network where this host is not now.
        """
        remotes = remote_servers(os.environ)
        here: list[Machine] = []
        try:
            here = await _tagged("", local_server(os.environ))
        except UserError:  # a client of servers elsewhere only
            if not remotes:
                raise
        elsewhere = await asyncio.gather(*(_tagged_there(name, server) for name, server in remotes.items()))
        found = [*here, *(machine for machines in elsewhere for machine in machines)]
        return list({machine.machine_id: machine for machine in reversed(found)}.values())


async def _tagged_there(name: str, server: Server) -> list[Machine]:
    try:
        async with asyncio.timeout(_REMOTE_WITHIN_S):
            return await _tagged(name, server)
    except (OutspreadError, TimeoutError):
        return []


async def _tagged(name: str, server: Server) -> list[Machine]:
    async with LxdApi(server) as api:
        instances: list[Json] = await api.get("/1.0/instances?recursion=2")
    machines = [_machine_of(instance, name) for instance in instances if instance_names.MACHINE_TAG in instance["config"]]
    # a copy that somebody made is theirs
    return [one for one in machines if one.label == instance_names.instance_name(one.machine_id, one.system)]


def _server_of(machine: Machine) -> Server:
    return remote_server(machine.data.get("server", ""), os.environ)


def _name(machine: Machine) -> str:
    """Return what the instance is called, also when all that is known of it is its entry in a reuse file, even Spread's."""
    return _spreads_name(machine) or instance_names.instance_name(machine.machine_id, machine.system)


def _spreads_name(machine: Machine) -> str:
    """Return what Spread called an instance that it made, and noted in a reuse file; "" when it is ours."""
    noted = machine.data.get(instance_names.NAME_NOTE, "")
    return noted if instance_names.may_be_spreads(noted, machine.system) else ""


def _path(machine: Machine) -> str:
    return f"/1.0/instances/{_name(machine)}"


# --- making one -------------------------------------------------------------------------------------------------------


async def _asked(api: LxdApi, request: MachineRequest, machine: Machine, progress: ProgressSink) -> Json:
    """Return what to ask the server for."""
    source = await _source(api, request)
    if not source.fingerprint:
        progress(f"the image {source.alias} comes from {source.server_url} unless the server has it")
    return instance_request(request, _name(machine), source, await _devices_of_profiles(api, request))


async def _create(api: LxdApi, request: MachineRequest, machine: Machine, body: Json) -> None:
    try:
        operation = await _answered(api.begin("POST", "/1.0/instances", body))
        await api.finished(operation, within_s=_CREATE_WITHIN_S)
        await api.change("PUT", f"{_path(machine)}/state", {"action": "start", "timeout": -1}, within_s=_START_WITHIN_S)
    except LxdError as error:
        kind = "virtual machine" if is_virtual_machine(request) else "container"
        what = f"cannot make {request.backend.name}:{request.system.name}, a {kind}: {error.message}"
        if "not found" in error.message or error.status == _NOT_FOUND:
            raise UserError(what, hint="lxc image list and lxc profile list say what there is") from error
        raise InfrastructureError(what, retry=False) from error


async def _answered(asking: Coroutine[None, None, Json]) -> Json:
    """Return the answer; when cancelled, only once it is there: the server can tell from then on what it has begun."""
    task = asyncio.ensure_future(asking)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        while not task.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait([task])
        raise


async def _source(api: LxdApi, request: MachineRequest) -> ImageSource:
    name = request.system.image or request.system.name
    images = [_local(image) for image in await api.get("/1.0/images?recursion=1")]
    if fingerprint := local_image(name, images, virtual_machine=is_virtual_machine(request)):
        return ImageSource(fingerprint=fingerprint)
    if name.startswith("local:"):
        wanted = f"{request.backend.name}:{request.system.name}"
        raise UserError(f"cannot make {wanted}: the server has no image {name}", hint="see lxc image list")
    remote = remote_image(name, platform.machine())
    return ImageSource(server_url=image_server(remote.server, os.environ), alias=remote.alias)


def _local(image: Json) -> LocalImage:
    properties = {name: str(value).lower() for name, value in (image.get("properties") or {}).items()}
    return LocalImage(
        fingerprint=image["fingerprint"],
        aliases=tuple(alias["name"] for alias in image.get("aliases") or ()),
        os=properties.get("os", ""),
        release=properties.get("release", ""),
        version=properties.get("version", ""),
        is_virtual_machine=image.get("type") == "virtual-machine",
    )


async def _devices_of_profiles(api: LxdApi, request: MachineRequest) -> Json:
    devices: Json = {}
    if request.system.storage_bytes or request.backend.storage_bytes:
        for profile in request.system.profiles or request.backend.profiles or ("default",):
            devices |= (await api.get(f"/1.0/profiles/{profile}"))["devices"]
    return devices


async def _let_root_in(machine: Machine) -> None:
    """Set the password of root for whoever logs in over SSH; a virtual machine has to boot first."""
    deadline = time.monotonic() + _SETUP_WITHIN_S
    while True:
        connection = await InstanceTarget(_server_of(machine), _name(machine)).reach()
        try:
            async with asyncio.timeout(_SETUP_WITHIN_S):
                ended = await connection.run("/bin/sh", input=root_login_script(machine.password), encoding=None)
        except (OSError, TimeoutError) as error:
            if "agent" not in str(error) or time.monotonic() > deadline:
                raise InfrastructureError(f"cannot set the password on {machine}: {str(error) or 'no answer in time'}") from error
        else:
            if ended.exit_status != 0:
                raise InfrastructureError(f"cannot set the password on {machine}: exit code {ended.exit_status}")
            return
        finally:
            connection.close()
            await connection.wait_closed()
        await asyncio.sleep(_ADDRESS_PAUSE_S)


async def _address(api: LxdApi, machine: Machine, progress: ProgressSink) -> str:
    """Return the first IPv4 address that the instance gets; its name when it has no network at all."""
    deadline = time.monotonic() + _ADDRESS_WITHIN_S
    told = False
    devices = (await api.get(_path(machine)))["expanded_devices"]
    has_network = any(device.get("type") == "nic" for device in devices.values())
    while True:
        state = await api.get(f"{_path(machine)}/state")
        if address := _address_in(state):
            return address
        if state["status"] != "Running":
            raise InfrastructureError(f"{machine} is {str(state['status']).lower()}, right after it was made")
        if not has_network:
            return machine.label
        if time.monotonic() > deadline:
            raise InfrastructureError(f"{machine} got no address within {_ADDRESS_WITHIN_S:g} s")
        if not told and time.monotonic() > deadline - _ADDRESS_WITHIN_S + 1:
            told = True
            progress(f"Waiting for {machine} to have an address...")
        await asyncio.sleep(_ADDRESS_PAUSE_S)


def _address_in(state: Json) -> str:
    for name, interface in (state.get("network") or {}).items():
        if name == "lo":
            continue
        for address in interface.get("addresses") or ():
            if address.get("family") == "inet" and address.get("scope") == "global":
                return str(address["address"])
    return ""


# --- the way in -------------------------------------------------------------------------------------------------------


async def _shell_of(machine: Machine) -> SshShell:
    target = InstanceTarget(_server_of(machine), _name(machine))
    try:
        return await open_ssh_shell(target)
    except ConnectionLostError as error:
        raise NotReadyError(error.message, hint=error.hint) from error


# --- giving it back ---------------------------------------------------------------------------------------------------


async def _delete(api: LxdApi, machine: Machine) -> None:
    deadline = time.monotonic() + _BUSY_FOR_S
    while True:
        try:
            await _end_operations(api, machine)
            await _delete_now(api, machine)
        except LxdError as error:
            if error.status == _NOT_FOUND:
                return
            if not any(word in error.message for word in _PASSING) or time.monotonic() > deadline:
                raise InfrastructureError(f"cannot delete {machine}: {error.message}") from error
        else:
            return
        await asyncio.sleep(_BUSY_PAUSE_S)


async def _end_operations(api: LxdApi, machine: Machine) -> None:
    """Cancel what the server is doing with the instance, or wait for it.

    An instance whose image is on its way does not exist yet, and would as soon as nobody looks for it any more.
    """
    by_status: dict[str, list[Json]] = await api.get("/1.0/operations?recursion=1")
    for operation in (one for some in by_status.values() for one in some if _is_under_way(one, machine)):
        with contextlib.suppress(LxdError):  # it is over, however it ended
            if operation["may_cancel"]:
                await api.change("DELETE", f"/1.0/operations/{operation['id']}", within_s=_STOP_WITHIN_S)
            await api.finished(operation, within_s=_OPERATION_WITHIN_S)


def _is_under_way(operation: Json, machine: Machine) -> bool:
    """Tell whether an operation changes the instance; a command that runs in it does not."""
    resources = operation.get("resources") or {}
    instances = [*resources.get("instances", ()), *resources.get("containers", ())]
    name = _name(machine)
    return operation["class"] == "task" and any(path.rpartition("/")[2] == name for path in instances)


async def _delete_now(api: LxdApi, machine: Machine) -> None:
    instance = await api.get(_path(machine))
    if not _is_meant(instance, machine):
        return  # not ours, whatever it is called
    if instance["status"] != "Stopped":
        with contextlib.suppress(LxdError):  # it may stop at this very moment
            stop = {"action": "stop", "force": True, "timeout": -1}
            await api.change("PUT", f"{_path(machine)}/state", stop, within_s=_STOP_WITHIN_S)
    await api.change("DELETE", _path(machine), within_s=_STOP_WITHIN_S)


def _is_meant(instance: Json, machine: Machine) -> bool:
    """Tell whether an instance carries the machine's tag, or is one without tags that Spread has noted in a file."""
    tag = instance["config"].get(instance_names.MACHINE_TAG)
    return tag == machine.machine_id if tag else bool(_spreads_name(machine))


def _machine_of(instance: Json, server_name: str) -> Machine:
    config, name = instance["config"], instance["name"]
    return Machine(
        machine_id=config[instance_names.MACHINE_TAG],
        backend=config.get(instance_names.BACKEND_TAG, ""),
        backend_type="lxd",
        system=config.get(instance_names.SYSTEM_TAG, ""),
        label=name,
        address=_address_in(instance.get("state") or {}) or name,
        username="root",
        data={"server": server_name, instance_names.NAME_NOTE: name},
    )
