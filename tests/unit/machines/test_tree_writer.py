"""Nothing is written outside, whatever an archive says."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outspread.machines.tar_reader import EntryKind, TarEntry
from outspread.machines.tree_writer import TreeWriter, _stays_inside


def file(name: str) -> TarEntry:
    return TarEntry(name, EntryKind.FILE, size=1)


def symlink(name: str, target: str) -> TarEntry:
    return TarEntry(name, EntryKind.SYMLINK, target=target)


def write(destination: Path, *events: TarEntry | bytes) -> list[str]:
    with TreeWriter(destination) as writer:
        for event in events:
            writer.take(event)
        return writer.refused


def seen(directory: Path) -> dict[str, str]:
    return {
        str(path.relative_to(directory)): f"-> {path.readlink()}" if path.is_symlink() else path.read_text()
        for path in directory.rglob("*")
        if path.is_symlink() or path.is_file()
    }


@pytest.mark.parametrize("name", ["/etc/x", "../x", "a/../../x", "a/..", "..", "/", "."])
def test_names_that_lead_outside_are_refused(tmp_path: Path, name: str) -> None:
    assert write(tmp_path / "to", file(name), b"x", file("ok"), b"y") == [name]
    assert seen(tmp_path) == {"to/ok": "y"}


@pytest.mark.parametrize("target", ["/", "/etc/passwd", "..", "../x", "a/../..", "a/..", "./../x", ""])
def test_links_that_could_lead_outside_are_refused(tmp_path: Path, target: str) -> None:
    assert write(tmp_path / "to", symlink("link", target)) == ["link"]
    assert seen(tmp_path) == {}


def test_links_that_stay_inside_are_made(tmp_path: Path) -> None:
    events: list[TarEntry | bytes] = [
        file("f"),
        b"1",
        symlink("a/b/l", "../../f"),
        symlink("m", "a/./b"),
        symlink("broken", "nowhere"),
    ]
    assert write(tmp_path, *events) == []
    assert (tmp_path / "a/b/l").read_text() == "1"
    assert (tmp_path / "m").is_dir()


def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "to").mkdir()
    (tmp_path / "to/planted").symlink_to(tmp_path / "out")
    (tmp_path / "out/victim").write_text("whole")
    (tmp_path / "to/file").symlink_to(tmp_path / "out/victim")
    assert write(tmp_path / "to", file("planted/x"), b"1", TarEntry("planted", EntryKind.DIRECTORY), file("file"), b"2") == [
        "planted/x",
        "planted",
    ]
    assert seen(tmp_path / "out") == {"victim": "whole"}
    assert (tmp_path / "to/file").read_text() == "2"
    assert not (tmp_path / "to/file").is_symlink()


def test_hard_links_are_to_what_was_written(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s")
    to = tmp_path / "to"
    links = [
        TarEntry(f"l{n}", EntryKind.HARD_LINK, target=target)
        for n, target in enumerate(["f", "../secret", "/etc/passwd", "no", "l"])
    ]
    assert write(to, file("f"), b"1", symlink("l", "f"), *links) == ["l1", "l2", "l3"]
    assert (to / "l0").samefile(to / "f")
    assert (to / "l4").is_symlink()


def test_a_link_to_a_link_leads_outside_from_nowhere_either(tmp_path: Path) -> None:
    """What leads to something inside from two levels down leads out from one."""
    names = ["up", "a/up", "a/b/up", "a/b/c/up"]
    links = [TarEntry(name, EntryKind.HARD_LINK, target="a/b/link") for name in names]
    assert write(tmp_path / "to", file("up"), b"1", symlink("a/b/link", "../../f"), *links) == ["up", "a/up"]
    assert seen(tmp_path / "to") == {"up": "1", **dict.fromkeys(["a/b/link", "a/b/up", "a/b/c/up"], "-> ../../f")}


def test_a_hard_link_to_nothing_takes_nothing_away(tmp_path: Path) -> None:
    assert write(tmp_path, file("f"), b"1", TarEntry("f", EntryKind.HARD_LINK, target="no")) == ["f"]
    assert seen(tmp_path) == {"f": "1"}


def test_special_files_are_refused(tmp_path: Path) -> None:
    assert write(tmp_path, TarEntry("device", EntryKind.OTHER)) == ["device"]
    assert seen(tmp_path) == {}


def test_modes_keep_neither_foreign_write_nor_setuid(tmp_path: Path) -> None:
    write(tmp_path, TarEntry("f", EntryKind.FILE, mode=0o6777, size=1, modified=1e9), b"1", TarEntry("g", EntryKind.FILE, mode=0))
    assert (tmp_path / "f").stat().st_mode & 0o7777 == 0o755
    assert (tmp_path / "g").stat().st_mode & 0o7777 == 0o600
    assert (tmp_path / "f").stat().st_mtime == 1e9


def test_a_second_one_of_a_name_replaces_the_first_but_not_a_directory(tmp_path: Path) -> None:
    assert write(tmp_path, file("f"), b"1", file("./f"), b"2", file("d/x"), b"3", file("d"), b"4") == ["d"]
    assert seen(tmp_path) == {"f": "2", "d/x": "3"}


@given(st.lists(st.sampled_from(["..", ".", "", "a", "b"]), max_size=6).map("/".join), st.integers(0, 3))
def test_a_link_said_to_stay_inside_does(target: str, depth: int) -> None:
    if _stays_inside(target, depth=depth):
        level = depth
        for part in target.split("/"):
            level += {"..": -1, ".": 0, "": 0}.get(part, 1)
            assert level >= 0


@pytest.mark.parametrize("modified", [9223372036854775807.0, 2.0**88, -5.0])
def test_a_time_that_makes_no_sense_does_no_harm(tmp_path: Path, modified: float) -> None:
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - the directory of a process, not of files
    assert write(tmp_path, TarEntry("f", EntryKind.FILE, size=1, modified=modified), b"x", file("g"), b"y") == []
    assert seen(tmp_path) == {"f": "x", "g": "y"}
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208
