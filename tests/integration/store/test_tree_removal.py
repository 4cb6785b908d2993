"""Work trees go away whatever a test has made of them."""

import os
from pathlib import Path

import pytest

from outspread.store.errors import StoreError
from outspread.store.tree_removal import remove_tree


@pytest.fixture
def precious(tmp_path: Path) -> Path:
    """Something beside the tree that must stay."""
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious/file").write_text("stays")
    return tmp_path / "precious/file"


def test_links_are_not_followed(tmp_path: Path, precious: Path) -> None:
    (tmp_path / "tree/below").mkdir(parents=True)
    (tmp_path / "tree/link").symlink_to(precious.parent)
    (tmp_path / "tree/below/up").symlink_to("../..")
    os.link(precious, tmp_path / "tree/hard")
    remove_tree(tmp_path / "tree")
    assert not (tmp_path / "tree").exists()
    assert precious.read_text() == "stays"


def test_a_link_is_removed_itself(tmp_path: Path, precious: Path) -> None:
    (tmp_path / "tree").symlink_to(precious.parent)
    remove_tree(tmp_path / "tree")
    assert not (tmp_path / "tree").is_symlink()
    assert precious.read_text() == "stays"


def test_depth_does_not_matter(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    handle = os.open(tmp_path / "tree", os.O_RDONLY)
    for _ in range(3000):  # far beyond the longest path
        os.mkdir("d" * 20, dir_fd=handle)
        os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=handle))
        below = os.open("d" * 20, os.O_RDONLY, dir_fd=handle)
        os.close(handle)
        handle = below
    os.close(handle)
    remove_tree(tmp_path / "tree")
    assert not (tmp_path / "tree").exists()


def test_neither_do_modes(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "closed/deeper").mkdir(parents=True)
    (tree / "closed/deeper/file").touch()
    (tree / "file").touch()
    if os.geteuid() == 0:  # whom modes do not stop
        tmp_path.chmod(0o777)
        for path in (tree, *tree.rglob("*")):
            os.chown(path, 65534, 65534)
    for path in (tree / "closed/deeper", tree / "closed", tree):
        path.chmod(0)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.chdir(tmp_path)
            if os.geteuid() == 0:
                os.setresuid(65534, 65534, 65534)
            remove_tree(Path("tree"))
            status = 0
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert not tree.exists()


def test_strange_files_go_as_well(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    os.mkfifo(tmp_path / "tree/pipe")
    (tmp_path / "tree" / os.fsdecode(b"\xff\xfe")).mkdir()
    (tmp_path / "tree" / ("n" * 255)).touch()
    remove_tree(tmp_path / "tree")
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_there_is_fine(tmp_path: Path) -> None:
    remove_tree(tmp_path / "nothing")
    remove_tree(tmp_path / "nothing/below")


def test_what_cannot_be_removed_is_said(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot remove /proc/self"):
        remove_tree(Path("/proc/self/fdinfo"))
