"""Why a sandbox could not be made, in words that say what is missing and what to do about it."""

# pathlib takes 10 ms to import, half of what a start costs:
# ruff: noqa: PTH123

import os

_ENOSPC, _EUSERS = 28, 87

#: Separates what is wrong from what to do about it, in a message of the keeper.
HINT = "\n"

_SWITCHES = (
    ("/proc/sys/kernel/unprivileged_userns_clone", "0", "kernel.unprivileged_userns_clone=1"),
    ("/proc/sys/user/max_user_namespaces", "0", "user.max_user_namespaces=10000"),
    ("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1", "kernel.apparmor_restrict_unprivileged_userns=0"),
)


def explain(error: OSError, doing: str) -> str:
    """Return what could not be done and why, a HINT, and what to do."""
    what = f": {error.filename}" if error.filename else ""
    why = f"cannot {doing}{what}: {error.strerror}"
    if "overlay" in why and "overlay" not in _read("/proc/filesystems"):
        return f"{why}; this kernel has no overlayfs{HINT}load it as root: modprobe overlay"
    refused = isinstance(error, PermissionError) or error.errno in (_ENOSPC, _EUSERS)
    if refused:
        for file, bad, setting in _SWITCHES:
            if _read(file).strip() == bad:
                name = setting.partition("=")[0]
                return f"{why}; {name} is {bad}{HINT}run as root, or allow user namespaces: sysctl -w {setting}"
        if os.geteuid() == 0:
            return f"{why}{HINT}inside a container, give it CAP_SYS_ADMIN (docker run --privileged)"
        return f"{why}{HINT}run as root, or on a kernel that lets users make user namespaces"
    if "overlay" in why:
        return f"{why}{HINT}overlays can be stacked twice only: run on the host, not inside a sandbox or container"
    return why + HINT


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except OSError:  # this kernel has no such switch
        return ""
