"""Stores, caches and trees to put into them."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from outspread.store.blob_cache import BlobCache
from outspread.store.disk_store import DiskStore

MakeTree = Callable[[], Path]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[DiskStore]:
    with DiskStore(tmp_path / "store") as store:
        yield store


@pytest.fixture
def cache(tmp_path: Path, store: DiskStore) -> Iterator[BlobCache]:
    with BlobCache(tmp_path / "cache", store, limit_bytes=10**8) as cache:
        yield cache


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A tree with something of every kind."""
    root = tmp_path / "tree"
    (root / "src/deep/er").mkdir(parents=True)
    (root / "empty/below").mkdir(parents=True)
    (root / "src/main.py").write_text("print('hello')\n")
    (root / "src/same.py").write_text("print('hello')\n")
    (root / "src/deep/er/data").write_bytes(bytes(range(256)) * 4096)
    (root / "nothing").touch()
    (root / "ünïcode with spaces\n").write_text("x")
    (root / "run").write_text("#!/bin/sh\necho ran\n")
    (root / "run").chmod(0o755)
    (root / "key").write_text("secret")
    (root / "key").chmod(0o600)
    (root / "link").symlink_to("src/main.py")
    (root / "outside").symlink_to("/etc/passwd")
    (root / "dangling").symlink_to("../../nowhere")
    (root / "to-directory").symlink_to("src")
    return root


@pytest.fixture
def contents() -> Callable[[Path], dict[str, object]]:
    """Return what is in a tree, by path: what kind, what content, whether it can be executed or is private."""

    def read(root: Path) -> dict[str, object]:
        found: dict[str, object] = {}
        for directory, directories, files in os.walk(root):
            for name in (*directories, *files):
                path = Path(directory) / name
                shown = str(path.relative_to(root))
                if path.is_symlink():
                    found[shown] = ("link", str(path.readlink()))
                elif path.is_dir():
                    found[shown] = "directory"
                else:
                    mode = path.stat().st_mode
                    found[shown] = (path.read_bytes(), bool(mode & 0o100), not mode & 0o077)
        return found

    return read


@pytest.fixture
def flip() -> Callable[[Path, int], None]:
    """Change one bit of a file, as a disk may."""

    def change(path: Path, position: int) -> None:
        with path.open("r+b") as file:
            file.seek(position)
            byte = file.read(1)[0]
            file.seek(position)
            file.write(bytes([byte ^ 1]))

    return change
