"""A mount namespace of our own, with or without root."""

import os

from outspread.machines.sandbox import kernel


def enter_namespaces() -> bool:
    """Get a mount namespace of our own, in a user namespace where that takes one; return whether it did not."""
    privileged = os.geteuid() == 0
    if privileged:
        try:
            kernel.unshare(kernel.CLONE_NEWNS)
        except PermissionError:  # root of a container: a user namespace may still be allowed
            privileged = False
    if not privileged:
        uid, gid = os.geteuid(), os.getegid()
        kernel.unshare(kernel.CLONE_NEWUSER | kernel.CLONE_NEWNS)
        for name, content in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), ("gid_map", f"0 {gid} 1")):
            _write(f"/proc/self/{name}", content)
    return privileged


def _write(path: str, content: str) -> None:
    fd = os.open(path, os.O_WRONLY)
    try:
        os.write(fd, content.encode())
    finally:
        os.close(fd)
