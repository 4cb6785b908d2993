"""What a worker can say of its machine by itself, as dimensions that jobs may require."""

import asyncio
import os
import platform
import socket
from pathlib import Path

from outspread.machines.qemu.acceleration import host_runs_machines
from outspread.machines.sandbox.backend import host_system_name


def detected_dimensions(cache: Path) -> dict[str, str]:
    """Return ``os``, ``arch``, ``system``, ``cpus``, ``host``, and where so ``kvm`` and ``root`` as "yes".

    KVM is tried once for each boot; ``cache`` is where that is remembered. Not for use in an event loop.
    """
    found = {
        "os": platform.system().lower(),
        "arch": platform.machine(),
        "system": host_system_name(),
        "cpus": str(len(os.sched_getaffinity(0))),
        "host": socket.gethostname(),
    }
    if asyncio.run(host_runs_machines(cache)):
        found["kvm"] = "yes"
    if os.geteuid() == 0:
        found["root"] = "yes"
    return found
