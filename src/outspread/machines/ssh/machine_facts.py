"""What the other end wants to know of a machine, as ``key=value`` lines.

Runs on the machine: standard library only, Python 3.8.
"""

# pathlib takes 10 ms to import:
# ruff: noqa: PTH118, PTH123

from __future__ import annotations

import os


def gather(why: str = "") -> bytes:
    """Return the facts; ``why`` is added where something cannot be done."""
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        boot_id = file.read().strip()
    places = [*os.environ.get("PATH", "").split(":"), "/usr/bin", "/bin"]
    has_zstd = any(os.access(os.path.join(place, "zstd"), os.X_OK) for place in places)
    return f"boot_id={boot_id}\nzstd={'yes' if has_zstd else ''}\nwhy={why}\n".encode()
