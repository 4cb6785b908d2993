"""A file counts as checked for a while, and only as long as it is the same."""

import os
import time
from pathlib import Path

import pytest

from outspread.store import checked_files
from outspread.store.checked_files import CheckedFiles


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "file").write_text("content")
    return tmp_path / "file"


def test_what_was_checked_is_known(file: Path) -> None:
    checked = CheckedFiles()
    assert not checked.is_known("file", file.stat())
    checked.note("file", file.stat())
    assert checked.is_known("file", file.stat())
    assert not checked.is_known("other", file.stat())


def test_what_changed_since_is_not(file: Path) -> None:
    checked = CheckedFiles()
    before = file.stat()
    checked.note("file", before)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert before.st_ctime_ns == file.stat().st_ctime_ns or not checked.is_known("file", file.stat())
    file.with_name("new").write_text("content")
    file.with_name("new").rename(file)
    assert not checked.is_known("file", file.stat())


def test_it_is_forgotten_in_time(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checked = CheckedFiles()
    checked.note("file", file.stat())
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 601)
    assert not checked.is_known("file", file.stat())


def test_it_is_bounded(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checked_files, "_REMEMBERED", 2)
    checked = CheckedFiles()
    for name in "abc":
        checked.note(name, file.stat())
    assert checked.is_known("c", file.stat())
    assert not checked.is_known("a", file.stat())
