"""Logs as files."""

from pathlib import Path

import pytest

from outspread.cli.log_files import LogFiles
from outspread.cli.tally import Tally
from outspread.controller.values import AttemptFinished, Outcome, Report, RunOptions
from outspread.errors import InfrastructureError, UserError


def kept(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def test_jobs_and_debug_output_have_files(events: list[Report], tmp_path: Path) -> None:
    for _ in range(2):  # a second run begins anew
        files = LogFiles(str(tmp_path / "deep/logs"))
        for event in events:
            files.feed(event)
        files.finish(Tally(RunOptions()))
    assert kept(tmp_path / "deep/logs") == {
        "lab:debian-12:tests/bad.log": b"+ false\n",
        "lab:debian-12:tests/bad.debug.log": b"disk full\n",
    }


def test_another_attempt_is_added(tmp_path: Path) -> None:
    files = LogFiles(str(tmp_path))
    for text in ("one\n", "caf\udce9\n"):
        files.feed(AttemptFinished(1.0, "s", 1, "a:b:c/d", 1, Outcome.INFRA, 1.0, log=text))
    assert kept(tmp_path) == {"a:b:c/d.log": b"one\ncaf\xe9\n"}


def test_a_place_that_cannot_be_is_refused_before_the_run(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"^cannot keep logs in "):
        LogFiles(str(tmp_path / "file/below"))


def test_trouble_on_the_way_is_told_at_the_end(tmp_path: Path) -> None:
    files = LogFiles(str(tmp_path))
    (tmp_path / "a:b:c").touch()
    files.feed(AttemptFinished(1.0, "s", 1, "a:b:c/d", 1, Outcome.PASSED, 1.0, log="x"))
    files.feed(AttemptFinished(1.0, "s", 1, "fine", 1, Outcome.PASSED, 1.0, log="x"))
    assert (tmp_path / "fine.log").read_text() == "x"
    with pytest.raises(InfrastructureError, match=r"^cannot keep all logs: cannot write .*d\.log"):
        files.finish(Tally(RunOptions()))
