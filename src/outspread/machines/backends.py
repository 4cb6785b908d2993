"""Which backend serves a type: ours, or one that is plugged in through the entry-point group ``outspread.backends``."""

from collections.abc import Callable
from typing import Any, cast

from outspread.errors import UserError
from outspread.machines.contract import MachineBackend

#: A package offers ``TYPE = "module:Class"`` in this group; the class is called without arguments.
ENTRY_POINT_GROUP = "outspread.backends"

_OURS = frozenset({"adhoc", "lxd", "qemu", "sandbox"})

#: Types that a spread.yaml may well name, although this version has no machines for them.
_KNOWN_ELSEWHERE = frozenset({"google", "humbox", "linode", "openstack", "testflinger"})


def backend_for(backend_type: str) -> MachineBackend:
    """Return a new backend of this type; raises UserError when there is none."""
    if backend_type == "sandbox":  # ours not through their entry points: importlib.metadata costs 30 ms
        from outspread.machines.sandbox.backend import SandboxBackend

        return SandboxBackend()
    if backend_type == "adhoc":
        from outspread.machines.adhoc.backend import AdhocBackend

        return AdhocBackend()
    if backend_type == "lxd":
        from outspread.machines.lxd.backend import LxdBackend

        return LxdBackend()
    if backend_type == "qemu":
        from outspread.machines.qemu.backend import QemuBackend

        return QemuBackend()
    plugged_in = _entry_points()
    if backend_type in plugged_in:
        return plugged_in[backend_type]()
    if backend_type in _KNOWN_ELSEWHERE:
        raise UserError(
            f"cannot use a backend of type {backend_type}: Outspread itself has no machines of this type",
            hint="run with --sandbox, or install a package that offers it in the entry-point group"
            f" {ENTRY_POINT_GROUP} (docs/how-to/write-a-backend.md)",
        )
    offered = ", ".join(sorted(available_types()))
    raise UserError(f"cannot use a backend of type {backend_type}: there is none", hint=f"the types are {offered}")


def get_ready(backend_type: str) -> None:
    """Begin, in the background, what the first machine of this type would have to wait for. Returns at once; idempotent."""
    if backend_type in ("adhoc", "lxd", "qemu"):
        from outspread.machines.ssh.early_import import import_soon

        import_soon()


def plugged_in_types() -> frozenset[str]:
    """Return the types that other packages offer."""
    return frozenset(_entry_points()) - _OURS


def available_types() -> frozenset[str]:
    """Return the types that there are backends for."""
    return _OURS | frozenset(_entry_points())


def _entry_points() -> dict[str, Callable[[], MachineBackend]]:
    from importlib.metadata import EntryPoint, entry_points

    def loader(entry_point: EntryPoint) -> Callable[[], MachineBackend]:
        def load() -> MachineBackend:
            try:
                made: Any = entry_point.load()
            except (ImportError, AttributeError) as error:
                message = f"cannot load the backend {entry_point.name}: {entry_point.value}: {error}"
                raise UserError(message, hint="reinstall the package that offers it") from error
            return cast("MachineBackend", made())

        return load

    return {entry_point.name: loader(entry_point) for entry_point in entry_points(group=ENTRY_POINT_GROUP)}
