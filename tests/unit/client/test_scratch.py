"""What is not whole yet is gone in the end, also what a killed process has left."""

import fcntl
import os
import time
from pathlib import Path

import pytest

from outspread.client.scratch import scratch_in


def test_it_is_there_meanwhile(tmp_path: Path) -> None:
    with scratch_in(tmp_path / "new") as scratch:
        assert scratch.parent == tmp_path / "new"
        (scratch / "deep").mkdir()
        (scratch / "deep").chmod(0)
    assert list((tmp_path / "new").iterdir()) == []


@pytest.fixture
def left(tmp_path: Path) -> Path:
    """What a process has left there an hour ago."""
    left = tmp_path / ".outspread-unfinished-left"
    (left / "deep").mkdir(parents=True)
    then = time.time() - 3600
    os.utime(left, (then, then))
    return left


def test_what_was_left_is_removed(tmp_path: Path, left: Path) -> None:
    with scratch_in(tmp_path):
        assert not left.exists()


def test_what_somebody_works_in_stays(tmp_path: Path, left: Path) -> None:
    handle = os.open(left, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    with scratch_in(tmp_path):
        assert left.exists()
    os.close(handle)


def test_what_is_just_being_made_stays_and_so_does_what_is_not_ours(tmp_path: Path, left: Path) -> None:
    os.utime(left)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / ".outspread-unfinished-link").symlink_to(elsewhere)
    with scratch_in(tmp_path):
        assert left.exists()
    assert elsewhere.exists()
