"""The root tree that a sandbox sees: the host's or an image's, copy-on-write, its changes on a bounded tmpfs.

Runs in the keeper, in a mount namespace of its own: none of these mounts can be seen from the host.
"""

# pathlib takes 10 ms to import, half of what a start costs:
# ruff: noqa: PTH101, PTH102, PTH103, PTH112, PTH114, PTH115, PTH116, PTH123, PTH211

import os
import stat
from collections.abc import Callable

from outspread.machines.sandbox import kernel
from outspread.machines.sandbox.host_mounts import FRESH, LEFT_OUT, OVERLAY, HostMount, is_at_or_below

#: Files mounted one by one (in containers: /etc/resolv.conf, /etc/hosts) are copied up to this size.
_COPIED_BYTES = 1024 * 1024

#: Where the tmpfs may hide what is there: it needs a directory that exists.
_SCRATCH_PLACES = ("/run", "/mnt", "/media", "/srv", "/opt")


class RootView:
    """The tree at ``root``; ``scratch`` is the tmpfs that holds its changes, with room for other files of the sandbox."""

    def __init__(self, image: str, size: str, mounts: list[HostMount], *, user_xattr: bool, say: Callable[[str], None]) -> None:
        """Build the view of ``image``, ``/`` being the host's own root; ``size`` is tmpfs' option."""
        self._mounts = mounts
        self._overlay_options = ",userxattr" if user_xattr else ""
        self._overlays = 0
        self._say = say
        source = os.open(image, os.O_PATH | os.O_DIRECTORY)  # before the tmpfs can hide it
        self.scratch = next(place for place in _SCRATCH_PLACES if self._may_hide(place, image))
        kernel.mount("tmpfs", self.scratch, "tmpfs", kernel.MS_NODEV, f"mode=0755,{size}")
        self.root = f"{self.scratch}/root"
        os.mkdir(self.root)
        try:
            os.fchdir(source)  # the overlay's lower directory is ".": no path has to be escaped into its options
            self._build(image)
        finally:
            os.chdir("/")
            os.close(source)

    @staticmethod
    def _may_hide(place: str, image: str) -> bool:
        return os.path.isdir(place) and not os.path.islink(place) and not is_at_or_below(os.path.realpath(image), place)

    def _build(self, image: str) -> None:
        try:
            self._overlay(self.root)
        except OSError:  # what is mounted below is locked (in a user namespace): piece by piece, then
            kernel.bind(self.root, self.root)
            try:
                self._assemble(image, self.root)
            except OSError as error:
                raise OSError(error.errno, f"overlay of {image}: {error.strerror}") from error
            return
        if image == "/":
            for mount in self._mounts:
                if mount.path != "/":
                    self._show(mount)

    def _overlay(self, target: str) -> None:
        """Show the current directory, copy-on-write, at ``target``."""
        self._overlays += 1
        upper, work = f"{self.scratch}/upper{self._overlays}", f"{self.scratch}/work{self._overlays}"
        os.mkdir(upper)
        os.mkdir(work)
        lower = os.stat(".")
        if (lower.st_uid, lower.st_gid) != (0, 0) and not self._overlay_options:
            os.chown(upper, lower.st_uid, lower.st_gid)
        os.chmod(upper, stat.S_IMODE(lower.st_mode))
        options = f"lowerdir=.,upperdir={upper},workdir={work}{self._overlay_options}"
        kernel.mount("overlay", target, "overlay", kernel.MS_NODEV, options)

    def _show(self, mount: HostMount) -> None:
        """Show what the host has mounted somewhere below its root."""
        handling = mount.handling()
        if handling == LEFT_OUT:
            return
        target = self.root + mount.path
        try:
            if not os.path.isdir(mount.path):
                self._place_file(mount.path, target)
                return
            os.makedirs(target, exist_ok=True)
            if handling == OVERLAY:
                os.chdir(mount.path)
                try:
                    self._overlay(target)
                except OSError as error:
                    self._say(f"{mount.path} is read-only in the sandbox: {error.strerror}")
                else:
                    return
            kernel.bind(mount.path, target)
            kernel.make_read_only(target)
        except OSError as error:
            self._say(f"{mount.path} is not in the sandbox: {error.strerror}")

    def _assemble(self, source: str, target: str) -> None:
        """Show ``source`` at ``target`` entry by entry, going down where something is mounted further below."""
        with os.scandir(source) as entries:
            for entry in entries:
                self._place(entry, f"{target}/{entry.name}")

    def _place(self, entry: "os.DirEntry[str]", target: str) -> None:
        if entry.is_symlink():
            os.symlink(os.readlink(entry.path), target)
            return
        if not entry.is_dir(follow_symlinks=False):
            self._place_file(entry.path, target)
            return
        os.mkdir(target)
        os.chmod(target, stat.S_IMODE(entry.stat(follow_symlinks=False).st_mode))
        at = next((mount for mount in self._mounts if mount.path == entry.path), None)
        if entry.path in FRESH or (at is not None and at.handling() == LEFT_OUT):
            return
        if any(mount.path != entry.path and is_at_or_below(mount.path, entry.path) for mount in self._mounts):
            self._assemble(entry.path, target)
            return
        try:
            os.chdir(entry.path)
        except PermissionError:  # not for us to see: then the sandbox has an empty one
            return
        self._overlay(target)

    def _place_file(self, source: str, target: str) -> None:
        """Copy a small file; show a large one, or what is not a file, read-only."""
        about = os.stat(source)
        regular = stat.S_ISREG(about.st_mode)
        fd = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, stat.S_IMODE(about.st_mode))
        try:
            if regular and about.st_size <= _COPIED_BYTES:
                try:
                    with open(source, "rb", 0) as file:
                        os.write(fd, file.read(_COPIED_BYTES))
                except PermissionError:  # not for us to see
                    return
                return
        finally:
            os.close(fd)
        kernel.bind(source, target)
        kernel.make_read_only(target)
