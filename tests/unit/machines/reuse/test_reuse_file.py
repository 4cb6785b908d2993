"""The file on disk: one holder at a time, whole at any moment."""

import os
import signal
import threading
from pathlib import Path

import pytest

from outspread.errors import InfrastructureError, UserError
from outspread.machines.reuse import reuse_file
from outspread.machines.reuse.reuse_file import WAITING, ReuseFile, reuse_path
from outspread.machines.reuse.reuse_text import ReuseEntry, render_reuse

ONE = (ReuseEntry("b", "s-1", "h1"),)
TWO = (*ONE, ReuseEntry("b", "s-1", "h2"))


def silent(text: str) -> None:
    raise AssertionError(text)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return reuse_path(tmp_path)


def test_names_are_spreads(tmp_path: Path) -> None:
    assert reuse_path(tmp_path).name == ".spread-reuse.yaml"
    assert reuse_path(tmp_path, 123).name == ".spread-reuse.123.yaml"


def test_what_was_written_is_there_for_the_next_one_and_for_nobody_else(path: Path) -> None:
    file = ReuseFile(path)
    assert file.hold(silent) == ()
    file.write(TWO)
    file.write(ONE)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.read_text() == render_reuse(ONE)
    assert list(path.parent.iterdir()) == [path]
    file.let_go()
    file.let_go()
    assert ReuseFile(path).hold(silent) == ONE


def test_a_file_that_others_could_read_is_closed_to_them(path: Path) -> None:
    path.write_text(render_reuse(ONE))
    path.chmod(0o644)
    ReuseFile(path).hold(silent)
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_newer_text_that_is_left_over_counts(path: Path) -> None:
    path.write_text(render_reuse(ONE)[:20])
    path.with_name(path.name + ".new").write_text(render_reuse(TWO))
    path.with_name(path.name + ".tmp").write_text("half")
    file = ReuseFile(path)
    assert file.hold(silent) == TWO
    file.write(ONE)
    assert sorted(entry.name for entry in path.parent.iterdir()) == [path.name]


def test_a_second_one_waits_and_says_so(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reuse_file, "_WAITING_AFTER_S", 0.0)
    first = ReuseFile(path)
    first.hold(silent)
    said: list[str] = []

    def say(text: str) -> None:
        said.append(text)
        first.write(TWO)
        first.let_go()

    assert ReuseFile(path).hold(say) == TWO
    assert said == [WAITING]


def test_one_who_waited_for_a_file_that_was_deleted_makes_a_new_one(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reuse_file, "_WAITING_AFTER_S", 0.0)
    first = ReuseFile(path)
    first.hold(silent)
    first.write(ONE)

    def say(_text: str) -> None:
        first.remove()
        first.let_go()

    second = ReuseFile(path)
    assert second.hold(say) == ()
    second.write(TWO)
    assert path.read_text() == render_reuse(TWO)


def test_the_lock_ends_with_its_process(path: Path) -> None:
    ready, told = os.pipe()
    pid = os.fork()
    if pid == 0:
        ReuseFile(path).hold(silent)
        os.write(told, b"x")
        threading.Event().wait()
    os.read(ready, 1)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    for descriptor in (ready, told):
        os.close(descriptor)
    ReuseFile(path).hold(silent)


def test_what_is_no_reuse_file_is_refused_and_left_alone(path: Path) -> None:
    path.write_text("backends: 5\n")
    with pytest.raises(UserError, match=r"cannot use .*: backends is not a map") as caught:
        ReuseFile(path).hold(silent)
    assert caught.value.hint == "mend or remove it"
    assert path.read_text() == "backends: 5\n"
    path.write_text(render_reuse([*ONE, *ONE]))
    with pytest.raises(UserError, match="have the same address h1"):
        ReuseFile(path).hold(silent)
    path.unlink()
    path.mkdir()
    with pytest.raises(UserError, match="Is a directory"):
        ReuseFile(path).hold(silent)


def test_a_disk_that_takes_no_more_is_an_error(path: Path) -> None:
    file = ReuseFile(path)
    file.hold(silent)
    path.with_name(path.name + ".tmp").mkdir()
    with pytest.raises(InfrastructureError, match=r"cannot write .*: Is a directory"):
        file.write(ONE)
