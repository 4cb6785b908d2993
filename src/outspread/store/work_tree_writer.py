"""Write a tree as directories and files of this host, from the files of a cache. Calls block.

Every directory is made new, and no path goes through anything but these: no link is ever followed.
"""

import errno
import os
from collections.abc import Callable, Iterable
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Final

from outspread.store.cached_files import FILE_TIME_NS, CachedFiles
from outspread.store.cached_name import file_mode
from outspread.store.digest import Digest
from outspread.store.file_copy import copy_file
from outspread.store.free_room import disk_errors
from outspread.store.tree_plan import PlannedFile, TreePlan

_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_DIRECTORY_MODE: Final = 0o755
_NO_LINK_POSSIBLE: Final = frozenset({errno.EXDEV, errno.EPERM, errno.EOPNOTSUPP})

#: Returns whether the file of that name can be used; if not, it has been thrown away.
IsSound = Callable[[str, Digest, float], bool]


class WorkTreeWriter:
    """Writes ``plan`` below ``into``, which must not exist. ``writable`` is asked about the path of each file."""

    def __init__(
        self, plan: TreePlan, into: Path, files: CachedFiles, is_sound: IsSound, *, writable: Callable[[str], bool] | bool
    ) -> None:
        self._plan = plan
        self._into = str(into)
        self._files = files
        self._is_sound = is_sound
        self._writable = writable

    def begin(self) -> None:
        """Make the directory itself; ``StoreError`` if there is something already."""
        with disk_errors(Path(self._into)):
            os.mkdir(self._into)

    def write(self, now: float) -> list[tuple[str, PlannedFile]]:
        """Write all but the files that the cache does not have: return these, each with the path of its directory."""
        absent = []
        with disk_errors(Path(self._into)):
            for directory in self._plan.directories:
                path = directory.path
                handle = self._make_directory(path)
                try:
                    for link in directory.links:
                        os.symlink(link.target, link.name, dir_fd=handle)
                    absent += [(path, file) for file in directory.files if not self._write_file(path, handle, file, now)]
                finally:
                    os.close(handle)
        return absent

    def write_rest(self, absent: Iterable[tuple[str, PlannedFile]], now: float) -> list[tuple[str, PlannedFile]]:
        """Write files that were absent before; return those that still are."""
        still_absent = []
        with disk_errors(Path(self._into)):
            for path, files in groupby(absent, key=itemgetter(0)):
                handle = os.open(self._place(path), _DIRECTORY)  # nobody but us has written there so far
                try:
                    still_absent += [(path, file) for _, file in files if not self._write_file(path, handle, file, now)]
                finally:
                    os.close(handle)
        return still_absent

    def _make_directory(self, path: str) -> int:
        place = self._place(path)
        if path:
            os.mkdir(place)
        handle = os.open(place, _DIRECTORY)
        os.fchmod(handle, _DIRECTORY_MODE)  # whatever the umask says: a job may have another user than we have
        return handle

    def _place(self, path: str) -> str:
        return f"{self._into}/{path}" if path else self._into

    def _write_file(self, path: str, handle: int, file: PlannedFile, now: float) -> bool:
        if not self._is_sound(file.cached, file.digest, now):
            return False
        try:
            if self._writable and self._is_writable(path, file):
                self._copy(file, handle, writable=True)
            else:
                self._link(file, handle)
        except FileNotFoundError:  # thrown away by another job just now
            return False
        return True

    def _is_writable(self, path: str, file: PlannedFile) -> bool:
        return self._writable is True or (
            callable(self._writable) and self._writable(f"{path}/{file.name}" if path else file.name)
        )

    def _link(self, file: PlannedFile, handle: int) -> None:
        try:
            os.link(file.cached, file.name, src_dir_fd=self._files.blobs, dst_dir_fd=handle)
        except OSError as error:
            if error.errno == errno.EMLINK:
                self._files.renew(file.cached)
                os.link(file.cached, file.name, src_dir_fd=self._files.blobs, dst_dir_fd=handle)
            elif error.errno in _NO_LINK_POSSIBLE:
                self._copy(file, handle, writable=False)
            else:
                raise

    def _copy(self, file: PlannedFile, handle: int, *, writable: bool) -> None:
        source = os.open(file.cached, os.O_RDONLY | os.O_CLOEXEC, dir_fd=self._files.blobs)
        try:
            mode = file_mode(executable=file.executable, private=file.private, writable=writable)
            copy_file(source, file.name, directory=handle, mode=mode, times_ns=(FILE_TIME_NS, FILE_TIME_NS))
        finally:
            os.close(source)
