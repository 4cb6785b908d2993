"""One boot of a sandbox: from a root view to process 1 of new namespaces, which serves as the machine's agent.

Runs in a child of the keeper; all code is loaded before the root changes, so that an image needs bash and tar only.
"""

# pathlib takes 10 ms to import, half of what a start costs:
# ruff: noqa: PTH101, PTH102, PTH103, PTH108, PTH110, PTH112, PTH113, PTH114, PTH115, PTH118, PTH120, PTH123, PTH211

import os

from outspread.machines import agent
from outspread.machines.sandbox import kernel

_SIGKILL = 9

#: Network administration, modules, raw I/O, accounting, reboot, clock, consoles, device nodes, audit, mandatory access
#: control, kernel log, wake-up and suspend: each reaches the host itself, as a sandbox has its network and its kernel.
_DROPPED_CAPABILITIES = (12, 16, 17, 20, 22, 25, 26, 27, 30, 32, 33, 34, 35, 36, 37)

#: Below /proc/sys these belong to the sandbox's own namespaces; the rest is the host's, and read-only.
_OWN_SETTINGS = (
    "kernel/hostname",
    "kernel/domainname",
    "kernel/sem",
    "kernel/shmall",
    "kernel/shmmax",
    "kernel/shmmni",
    "kernel/shm_rmid_forced",
    "kernel/msgmax",
    "kernel/msgmnb",
    "kernel/msgmni",
    "fs/mqueue",
)
#: Other places below /proc through which the host could be changed; /proc/sysrq-trigger reboots it.
_HOST_CONTROLS = ("sysrq-trigger", "irq", "bus", "fs", "acpi", "mtrr")

#: The mode of a directory for everybody's temporary files.
_EVERYBODYS = 0o1777

_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
_DEVICE_LINKS = (
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
    ("ptmx", "pts/ptmx"),
)

_ENVIRONMENT = {
    b"HOME": b"/root",
    b"USER": b"root",
    b"LOGNAME": b"root",
    b"SHELL": b"/bin/bash",
    b"PATH": b"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
}


class Boot:
    """What differs from one boot to the next, or from one sandbox to another."""

    __slots__ = ("boot_id", "disk", "hostname", "number", "resolver", "root", "scratch")

    def __init__(self, *, root: str, scratch: str, disk: str, hostname: str, number: int, resolver: bytes) -> None:
        self.root = root
        self.scratch = scratch
        self.disk = disk  # how much /run, /tmp and /dev/shm may hold, as tmpfs takes it
        self.hostname = hostname
        self.number = number
        self.resolver = resolver  # the host's /etc/resolv.conf, since its network is ours
        self.boot_id = _read("/proc/sys/kernel/random/uuid")

    def enter(self) -> None:
        """Make the namespaces ours and the root view our root; we are the first process of a new pid namespace."""
        kernel.unshare(kernel.CLONE_NEWNS | kernel.CLONE_NEWUTS | kernel.CLONE_NEWIPC)
        kernel.set_hostname(self.hostname)
        os.umask(0)
        volatile = f"{self.scratch}/volatile"  # a mount of this boot only: it is gone with it
        os.makedirs(volatile, exist_ok=True)
        kernel.mount("tmpfs", volatile, "tmpfs", kernel.MS_NODEV, f"mode=0755,size={self.disk}")
        self._mount_proc(volatile)
        kernel.bind("/sys", self._directory("sys"), recursive=True)
        kernel.make_tree_read_only(f"{self.root}/sys")
        self._mount_dev(f"{volatile}/dev")
        for name, mode in (("run", 0o755), ("tmp", _EVERYBODYS)):
            os.mkdir(f"{volatile}/{name}", mode)
            os.chmod(f"{volatile}/{name}", mode)  # mkdir leaves the sticky bit out
            kernel.bind(f"{volatile}/{name}", self._directory(name))
        os.mkdir(f"{volatile}/run/lock", 0o755)
        os.chmod(f"{volatile}/run/lock", _EVERYBODYS)
        self._write_names(volatile)
        kernel.pivot_to(self.root)
        os.umask(0o022)
        for capability in _DROPPED_CAPABILITIES:
            kernel.drop_capability(capability)
        kernel.die_with_parent(_SIGKILL)

    def _directory(self, name: str) -> str:
        """Return the path of a directory at the top of the view, made if missing, never one elsewhere that a link leads to."""
        path = f"{self.root}/{name}"
        if os.path.islink(path):
            os.unlink(path)
        if not os.path.isdir(path):
            os.mkdir(path, 0o755)
        return path

    def _mount_proc(self, volatile: str) -> None:
        proc = self._directory("proc")
        kernel.mount("proc", proc, "proc", kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC)
        boot_id = f"{volatile}/boot_id"
        _write(boot_id, self.boot_id)
        settings = f"{proc}/sys"
        kernel.bind(settings, settings)
        for name in _OWN_SETTINGS:  # mounts of their own, which stay as they are when the rest becomes read-only
            if os.path.exists(f"{settings}/{name}"):
                kernel.bind(f"{settings}/{name}", f"{settings}/{name}")
        kernel.make_read_only(settings)
        for name in _HOST_CONTROLS:
            path = f"{proc}/{name}"
            if os.path.exists(path):
                kernel.bind(path, path)
                kernel.make_read_only(path)
        kernel.bind(boot_id, f"{settings}/kernel/random/boot_id")

    def _mount_dev(self, source: str) -> None:
        os.mkdir(source, 0o755)
        dev = self._directory("dev")
        kernel.bind(source, dev)
        for name in _DEVICES:
            _write(f"{dev}/{name}", b"")
            kernel.bind(f"/dev/{name}", f"{dev}/{name}")
        for name, target in _DEVICE_LINKS:
            os.symlink(target, f"{dev}/{name}")
        os.mkdir(f"{dev}/shm")
        os.chmod(f"{dev}/shm", _EVERYBODYS)
        os.mkdir(f"{dev}/pts", 0o755)
        kernel.mount("devpts", f"{dev}/pts", "devpts", kernel.MS_NOSUID | kernel.MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620")

    def _write_names(self, volatile: str) -> None:
        """Have the machine know itself and the host's name servers."""
        etc = f"{self.root}/etc"
        if os.path.islink(etc) or not os.path.isdir(etc):
            return
        if self.number == 0:
            hosts = f"{etc}/hosts"
            known = _read(hosts) if os.path.isfile(hosts) and not os.path.islink(hosts) else b"127.0.0.1\tlocalhost\n"
            _replace(hosts, known.rstrip(b"\n") + f"\n127.0.1.1\t{self.hostname}\n".encode())
            _replace(f"{etc}/hostname", f"{self.hostname}\n".encode())
        resolver = f"{etc}/resolv.conf"
        if os.path.islink(resolver):
            # made by a resolver service at each boot: where that would be, in our own /run
            named = os.path.normpath(os.path.join("/etc", os.readlink(resolver)))
            if named.startswith("/run/"):
                os.makedirs(os.path.dirname(volatile + named), 0o755, exist_ok=True)
                _write(volatile + named, self.resolver)
        elif self.number == 0 and not os.path.exists(resolver):
            _write(resolver, self.resolver)


def serve(stream: int, machine_id: str) -> int:
    """Be the machine's agent until the stream ends; return an exit code."""
    return agent.serve(stream, _ENVIRONMENT, f"outspread-agent machine_id={machine_id}".encode())


def _read(path: str) -> bytes:
    with open(path, "rb", 0) as file:
        return file.read()


def _write(path: str, content: bytes) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o644)
    try:
        os.write(fd, content)
    finally:
        os.close(fd)


def _replace(path: str, content: bytes) -> None:
    """Write a file anew, whatever was at its path (a link that would lead out of the view)."""
    if os.path.lexists(path):
        os.unlink(path)
    _write(path, content)
