"""A machine to be that SSH will reach: who may log in, as its system says."""

from collections.abc import Mapping

from outspread.machines.contract import Machine, MachineRequest

_DEFAULT_USERNAME = "root"


def draft_of(request: MachineRequest, data: Mapping[str, str] | None = None) -> Machine:
    """Return all but the address, with the backend's own notes in ``data``."""
    system = request.system
    return Machine(
        machine_id=request.machine_id,
        backend=request.backend.name,
        backend_type=request.backend.type,
        system=system.name,
        username=system.username or _DEFAULT_USERNAME,
        password=request.password,
        key=system.ssh_rsa_key,
        key_password=system.ssh_key_pass,
        data=dict(data or {}),
    )
