"""A directory becomes a tree; what did not change is not read again."""

import os
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from outspread.store import tree_scan
from outspread.store.digest import Digest
from outspread.store.directory_reader import read_directory
from outspread.store.disk_store import DiskStore
from outspread.store.errors import UnstorableError
from outspread.store.path_globs import path_globs
from outspread.store.stat_cache import StatCache
from outspread.store.tree_scan import scan_tree
from outspread.store.upload import put_file, put_open_files, upload_scanned, upload_tree


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that have been hashed."""
    paths: list[str] = []
    hash_file = tree_scan.hash_file

    def noting(path: str, *, directory: int | None = None) -> Digest:
        paths.append(path)
        return hash_file(path, directory=directory)

    monkeypatch.setattr(tree_scan, "hash_file", noting)
    return paths


async def test_a_tree_is_uploaded_once(store: DiskStore, tree: Path) -> None:
    first = await upload_tree(store, tree)
    again = await upload_tree(store, tree)
    assert first.files == 7
    assert first.uploaded_blobs > 0
    assert again.root == first.root
    assert (again.uploaded_blobs, again.uploaded_bytes) == (0, 0)


async def test_its_messages_are_in_the_store(store: DiskStore, tree: Path) -> None:
    uploaded = await upload_tree(store, tree)
    root = read_directory((await store.get_blobs([uploaded.root]))[uploaded.root])
    assert [(file.name, file.executable, file.private) for file in root.files] == [
        ("key", False, True),
        ("nothing", False, False),
        ("run", True, False),
        ("ünïcode with spaces\n", False, False),
    ]
    assert [node.name for node in root.directories] == ["empty", "src"]
    assert [(link.name, link.target) for link in root.links] == [
        ("dangling", "../../nowhere"),
        ("link", "src/main.py"),
        ("outside", "/etc/passwd"),
        ("to-directory", "src"),
    ]


async def test_what_is_ignored_is_not_even_looked_at(store: DiskStore, tree: Path) -> None:
    os.mkfifo(tree / "src/pipe")
    uploaded = await upload_tree(store, tree, ignore=path_globs(["src", "k*y"]))
    root = read_directory((await store.get_blobs([uploaded.root]))[uploaded.root])
    assert [node.name for node in root.directories] == ["empty"]
    assert "key" not in [file.name for file in root.files]


async def test_what_cannot_be_in_a_tree_is_named(store: DiskStore, tree: Path) -> None:
    os.mkfifo(tree / "src/pipe")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(tree / "socket"))
        (tree / os.fsdecode(b"caf\xe9")).touch()
        with pytest.raises(UnstorableError) as refused:
            await upload_tree(store, tree)
    for named in ("src/pipe is a pipe", "socket is a socket", "is not UTF-8"):
        assert named in refused.value.message


async def test_a_missing_directory_is_said_to_be(store: DiskStore, tmp_path: Path) -> None:
    with pytest.raises(UnstorableError, match=r"cannot read .*nowhere"):
        await upload_tree(store, tmp_path / "nowhere")


def test_unchanged_files_are_not_hashed_again(tree: Path, tmp_path: Path, hashed: list[str], settled: Callable[[], None]) -> None:
    settled()
    first = scan_tree(tree, StatCache(tmp_path / "cache", tree))
    assert len(hashed) == 7
    again = scan_tree(tree, StatCache(tmp_path / "cache", tree))
    assert len(hashed) == 7
    assert again == first


@pytest.mark.parametrize("how", ["same size, same time", "replaced", "longer"])
def test_changed_files_are(tree: Path, tmp_path: Path, hashed: list[str], settled: Callable[[], None], how: str) -> None:
    settled()
    scan_tree(tree, StatCache(tmp_path / "cache", tree))
    hashed.clear()
    changed = tree / "src/main.py"
    before = changed.stat()
    if how == "longer":
        changed.write_text("print('hello, hello')\n")
    elif how == "replaced":
        (tree / "new").write_text("print('hallo')\n")
        (tree / "new").rename(changed)
    else:
        changed.write_text("print('hallo')\n")
    os.utime(changed, ns=(before.st_atime_ns, before.st_mtime_ns))
    again = scan_tree(tree, StatCache(tmp_path / "cache", tree))
    assert hashed == [changed.name]
    assert Digest.of(changed.read_bytes()) in again.files


def test_a_file_that_changed_just_now_is_not_trusted(tree: Path, tmp_path: Path, hashed: list[str]) -> None:
    """It may change again within the same tick of the clock, and nobody could tell."""
    scan_tree(tree, StatCache(tmp_path / "cache", tree))
    hashed.clear()
    scan_tree(tree, StatCache(tmp_path / "cache", tree))
    assert len(hashed) == 7


@pytest.mark.parametrize("content", [b"", b"rubbish", b"\x92\x02\x80"])
def test_an_unreadable_cache_is_an_empty_one(
    tree: Path, tmp_path: Path, hashed: list[str], settled: Callable[[], None], content: bytes
) -> None:
    settled()
    first = scan_tree(tree, StatCache(tmp_path / "cache", tree))
    (file,) = (tmp_path / "cache").iterdir()
    file.write_bytes(content)
    assert scan_tree(tree, StatCache(tmp_path / "cache", tree)) == first
    assert len(hashed) == 14


def test_no_cache_directory_is_no_error(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert scan_tree(tree, StatCache(tmp_path / "file/cache", tree)) == scan_tree(tree, None)


async def test_a_file_that_changes_while_it_is_uploaded_is_not_stored(store: DiskStore, tree: Path) -> None:
    scanned = scan_tree(tree, None)
    (tree / "src/deep/er/data").write_bytes(b"?" * (256 * 4096))
    with pytest.raises(Exception, match=r"changes while it is read|the content is another"):
        await upload_scanned(store, scanned)
    assert scanned.root in await store.find_missing([scanned.root])


async def test_one_file(store: DiskStore, tree: Path) -> None:
    digest = await put_file(store, tree / "run")
    assert await store.get_blobs([digest]) == {digest: b"#!/bin/sh\necho ran\n"}


async def test_a_link_is_no_file(store: DiskStore, tree: Path) -> None:
    with pytest.raises(UnstorableError, match="cannot read"):
        await put_file(store, tree / "outside")
    os.mkfifo(tree / "pipe")
    with pytest.raises(UnstorableError, match="not a regular file"):
        await put_file(store, tree / "pipe")


async def test_open_files(store: DiskStore, tree: Path) -> None:
    files = [os.open(tree / name, os.O_RDONLY) for name in ("run", "src/deep/er/data", "nothing")]
    digests = await put_open_files(store, files)
    assert await store.find_missing(digests.values()) == set()
    assert digests[files[1]].size_bytes == 256 * 4096


@pytest.mark.parametrize("kind", ["directory", "file"])
def test_a_link_swapped_in_at_the_last_moment_leads_nowhere(
    tree: Path, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F33: what was a file or a directory when it was looked at may be a link when it is opened."""
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets/secret").write_text("secret")
    victim = tree / ("src/deep" if kind == "directory" else "src/main.py")
    target = tmp_path / ("secrets" if kind == "directory" else "secrets/secret")
    open_ = os.open

    def swapping(path: str, flags: int, *arguments: int, dir_fd: int | None = None) -> int:
        if path == victim.name and not victim.is_symlink():
            victim.rename(tmp_path / "moved")
            victim.symlink_to(target)
        return open_(path, flags, *arguments, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", swapping)
    with pytest.raises(UnstorableError, match="cannot read"):
        scan_tree(tree, None)
    assert victim.is_symlink()


@pytest.fixture
def settled(tree: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Make the clock go on, as a change is noted with the time of the system, which nobody can set back."""

    def later() -> None:
        now = time.time_ns()
        monkeypatch.setattr("outspread.store.stat_cache.time.time_ns", lambda: now + 10**10)

    return later
