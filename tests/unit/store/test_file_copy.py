"""A copied program is ready to be executed when its copying ends."""

import os
import time
from pathlib import Path

import pytest

from outspread.store import file_copy
from outspread.store.file_copy import copy_file, settled


@pytest.fixture
def directory(tmp_path: Path) -> int:
    return os.open(tmp_path, os.O_RDONLY)


def test_a_file_has_settled_when_nobody_can_write_to_it(tmp_path: Path, directory: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a program that is being started can, which has inherited the descriptor."""
    writers = [os.open(tmp_path / "program", os.O_WRONLY | os.O_CREAT) for _ in range(2)]
    waits = 0

    def some_time_passes(_seconds: float) -> None:
        nonlocal waits
        waits += 1
        if waits % 2:
            os.close(writers.pop())

    monkeypatch.setattr(time, "sleep", some_time_passes)
    settled("program", directory=directory)
    assert writers == []
    settled("program", directory=directory)
    assert waits == 3


def test_waiting_for_it_has_an_end(tmp_path: Path, directory: int, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = os.open(tmp_path / "program", os.O_WRONLY | os.O_CREAT)
    monkeypatch.setattr(file_copy, "_SETTLES_WITHIN_S", 0.01)
    settled("program", directory=directory)
    os.close(writer)


@pytest.mark.parametrize("size_bytes", [0, 1, 64 * 1024, 64 * 1024 + 1, 3_000_000])
@pytest.mark.parametrize("file_system_copies", [True, False])
def test_a_copy_is_whole(
    tmp_path: Path, directory: int, size_bytes: int, file_system_copies: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not file_system_copies:

        def cannot(*_arguments: object) -> int:
            raise OSError(18, "Invalid cross-device link")

        monkeypatch.setattr(os, "copy_file_range", cannot)
    (tmp_path / "source").write_bytes(os.urandom(size_bytes))
    source = os.open(tmp_path / "source", os.O_RDONLY)
    copy_file(source, "copy", directory=directory, mode=0o555, times_ns=(7, 5))
    made = (tmp_path / "copy").stat()
    assert (tmp_path / "copy").read_bytes() == (tmp_path / "source").read_bytes()
    assert (made.st_mode & 0o7777, made.st_mtime_ns) == (0o555, 5)
