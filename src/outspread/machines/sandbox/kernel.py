"""The system calls that a sandbox needs and Python 3.11 does not offer, as functions that raise OSError.

No policy here. ctypes costs 4 ms to import, each of the programs mount(8), unshare(1), … 2 ms to start.
"""

import ctypes
import os

CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000

MS_RDONLY = 0x1
MS_NOSUID = 0x2
MS_NODEV = 0x4
MS_NOEXEC = 0x8
MS_REMOUNT = 0x20
MS_BIND = 0x1000
MS_REC = 0x4000
MS_SLAVE = 0x80000
MS_RELATIME = 0x200000

_MNT_DETACH = 2
_PR_SET_PDEATHSIG = 1
_PR_CAPBSET_DROP = 24
_PR_SET_CHILD_SUBREAPER = 36
_SIG_BLOCK, _SIG_UNBLOCK = 0, 1
_EINVAL, _ENOSYS = 22, 38
_SYS_MOUNT_SETATTR = 442  # the same on every architecture, as all calls since Linux 5.1
_AT_FDCWD = -100
_AT_RECURSIVE = 0x8000
_MOUNT_ATTR_RDONLY = 1
#: statvfs' flag and mount's flag for what a less privileged mount namespace may not take off a mount.
_LOCKED_FLAGS = ((2, MS_NOSUID), (4, MS_NODEV), (8, MS_NOEXEC), (4096, MS_RELATIME))
_SIGSET_BYTES = 128

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what)
    return result


def unshare(flags: int) -> None:
    """Leave the namespaces in ``flags`` for new ones (for CLONE_NEWPID: the next child does)."""
    _check(_libc.unshare(flags), "unshare")


def mount(source: str, target: str, kind: str = "", flags: int = 0, options: str = "") -> None:
    """Mount; the error names the target."""
    result = _libc.mount(
        os.fsencode(source), os.fsencode(target), kind.encode() or None, ctypes.c_ulong(flags), os.fsencode(options) or None
    )
    _check(result, f"mount of {kind or source} on {target}")


def bind(source: str, target: str, *, recursive: bool = False) -> None:
    """Show ``source`` at ``target`` too."""
    mount(source, target, flags=MS_BIND | (MS_REC if recursive else 0))


def make_read_only(target: str) -> None:
    """Make the one mount at ``target`` read-only."""
    present = os.statvfs(target).f_flag
    kept = sum(flag for seen, flag in _LOCKED_FLAGS if present & seen)
    mount("none", target, flags=MS_REMOUNT | MS_BIND | MS_RDONLY | kept)


def make_tree_read_only(target: str) -> None:
    """Make the mount at ``target`` read-only, and all below it."""
    attributes = (ctypes.c_uint64 * 4)(_MOUNT_ATTR_RDONLY, 0, 0, 0)
    result = _libc.syscall(
        _SYS_MOUNT_SETATTR, _AT_FDCWD, os.fsencode(target), _AT_RECURSIVE, ctypes.byref(attributes), ctypes.sizeof(attributes)
    )
    if result < 0 and ctypes.get_errno() == _ENOSYS:  # before Linux 5.12: this one at least
        make_read_only(target)
        return
    _check(result, f"making {target} read-only")


def pivot_to(root: str) -> None:
    """Make the mount at ``root`` the root of this mount namespace and let go of the old one."""
    os.chdir(root)
    _check(_libc.syscall(_pivot_root_number(), b".", b"."), "pivot_root")  # stacks the old root on the new one
    _check(_libc.umount2(b".", _MNT_DETACH), "umount of the old root")
    os.chdir("/")


def _pivot_root_number() -> int:
    numbers = {
        "x86_64": 155,
        "aarch64": 41,
        "riscv64": 41,
        "loongarch64": 41,
        "armv7l": 218,
        "i686": 217,
        "ppc64le": 203,
        "s390x": 217,
    }
    machine = os.uname().machine
    if machine not in numbers:
        raise OSError(_ENOSYS, f"pivot_root: its number on {machine} is not known here")
    return numbers[machine]


def set_hostname(name: str) -> None:
    """Name the machine that our uts namespace is."""
    encoded = name.encode()
    _check(_libc.sethostname(encoded, ctypes.c_size_t(len(encoded))), "sethostname")


def drop_capability(number: int) -> None:
    """Take a capability from whatever we execute from now on; one that this kernel does not know is none."""
    result = _libc.prctl(_PR_CAPBSET_DROP, ctypes.c_ulong(number), 0, 0, 0)
    if result < 0 and ctypes.get_errno() == _EINVAL:
        return
    _check(result, f"dropping capability {number}")


def die_with_parent(signal_number: int) -> None:
    """Have the kernel send us ``signal_number`` when our parent dies."""
    _check(_libc.prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(signal_number), 0, 0, 0), "prctl")


def adopt_orphans() -> None:
    """Become the parent of whatever below us loses its own."""
    _check(_libc.prctl(_PR_SET_CHILD_SUBREAPER, ctypes.c_ulong(1), 0, 0, 0), "prctl")


def signal_descriptor(numbers: tuple[int, ...]) -> int:
    """Return a descriptor that becomes readable when one of these signals comes; their other effects are off."""
    signals = _signal_set(numbers)
    _check(_libc.sigprocmask(_SIG_BLOCK, signals, None), "sigprocmask")
    return _check(_libc.signalfd(-1, signals, os.O_CLOEXEC), "signalfd")


def unblock_signals(numbers: tuple[int, ...]) -> None:
    """Give these signals their effects back."""
    _check(_libc.sigprocmask(_SIG_UNBLOCK, _signal_set(numbers), None), "sigprocmask")


def _signal_set(numbers: tuple[int, ...]) -> "ctypes.Array[ctypes.c_char]":
    signals = ctypes.create_string_buffer(_SIGSET_BYTES)
    _libc.sigemptyset(signals)
    for number in numbers:
        _libc.sigaddset(signals, number)
    return signals
