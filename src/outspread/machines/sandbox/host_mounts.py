"""What is mounted on the host, and how a sandbox shows each of it. Pure: text in, decisions out."""

OVERLAY = "overlay"  # writable, changes thrown away
READ_ONLY = "read-only"
LEFT_OUT = "left out"

#: Every sandbox has its own of these.
FRESH = ("/proc", "/sys", "/dev", "/run", "/tmp")  # noqa: S108 - the names of directories, not a file of ours

#: File systems on disks of this host. Network and user-space ones are left out: a dead server would hang every sandbox.
_OVERLAID_TYPES = frozenset({"ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "zfs", "bcachefs", "jfs", "reiserfs"})
_READ_ONLY_TYPES = frozenset({"vfat", "exfat", "ntfs3", "iso9660", "squashfs", "erofs", "9p", "virtiofs"})


class HostMount:
    """One mount of the host."""

    __slots__ = ("kind", "options", "path", "root")

    def __init__(self, path: str, root: str, kind: str, options: str) -> None:
        self.path = path
        self.root = root  # what of its file system is shown there
        self.kind = kind
        self.options = options  # of the file system

    def handling(self) -> str:
        """Return how a sandbox shows it."""
        if any(is_at_or_below(self.path, fresh) for fresh in FRESH):
            return LEFT_OUT
        if self.kind in _OVERLAID_TYPES:
            return OVERLAY
        return READ_ONLY if self.kind in _READ_ONLY_TYPES else LEFT_OUT


def parse_mounts(mountinfo: str) -> list[HostMount]:
    """Return the mounts that a ``/proc/*/mountinfo`` lists, those on the same path reduced to the last, parents first."""
    by_path = {}
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        fields, last = before.split(" "), after.split(" ")
        path = _unescaped(fields[4])
        by_path[path] = HostMount(path, _unescaped(fields[3]), last[0], last[2])
    return [by_path[path] for path in sorted(by_path)]


def is_at_or_below(path: str, directory: str) -> bool:
    """Return whether ``path`` is ``directory`` or something in it; both absolute and clean."""
    return path == directory or path.startswith(directory.rstrip("/") + "/")


def _unescaped(text: str) -> str:
    r"""Return a field of mountinfo with ``\040`` and its like as the characters they stand for."""
    first, *rest = text.split("\\")
    return first + "".join(chr(int(piece[:3], 8)) + piece[3:] for piece in rest)
