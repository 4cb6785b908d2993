"""What is written into, and what is replaced."""

import os
import threading
from pathlib import Path

import pytest

from outspread.cli.whole_file import check_writable, whole_file
from outspread.errors import UserError


def write(file: Path, content: bytes) -> None:
    with whole_file(file) as target:
        target.write(content)


def test_a_new_file_has_the_mode_of_any_other(tmp_path: Path) -> None:
    write(tmp_path / "new", b"content")
    other = tmp_path / "other"
    other.touch()
    assert (tmp_path / "new").read_bytes() == b"content"
    assert (tmp_path / "new").stat().st_mode == other.stat().st_mode


def test_a_file_that_was_there_keeps_its_mode(tmp_path: Path) -> None:
    file = tmp_path / "old"
    file.touch(mode=0o640)
    write(file, b"content")
    assert (file.read_bytes(), file.stat().st_mode & 0o777) == (b"content", 0o640)


def test_a_link_stays_and_what_it_leads_to_is_written(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("real")
    write(tmp_path / "link", b"content")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"content"


def test_a_pipe_is_written_into(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    write(pipe, b"content")
    reader.join(5)
    assert read == [b"content"]
    assert pipe.is_fifo()


def test_after_an_error_all_is_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "old").write_bytes(b"before")

    def fail() -> None:
        with whole_file(tmp_path / "old") as target:
            target.write(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert [path.name for path in tmp_path.iterdir()] == ["old"]
    assert (tmp_path / "old").read_bytes() == b"before"


def test_a_pipe_needs_no_directory_to_make_files_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) == pipe)
    check_writable(pipe)
    with pytest.raises(UserError, match=r"cannot write .*: its directory does not exist or is not writable"):
        check_writable(tmp_path / "file")
