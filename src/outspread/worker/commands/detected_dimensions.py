"""What a worker can say of its machine by itself, as dimensions that jobs may require."""

import os
import platform
import socket

from outspread.machines.sandbox.backend import host_system_name


def detected_dimensions() -> dict[str, str]:
    """Return ``os``, ``arch``, ``system``, ``cpus``, ``host``, and where so ``kvm`` and ``root`` as "yes"."""
    found = {
        "os": platform.system().lower(),
        "arch": platform.machine(),
        "system": host_system_name(),
        "cpus": str(len(os.sched_getaffinity(0))),
        "host": socket.gethostname(),
    }
    if os.access("/dev/kvm", os.R_OK | os.W_OK):
        found["kvm"] = "yes"
    if os.geteuid() == 0:
        found["root"] = "yes"
    return found
