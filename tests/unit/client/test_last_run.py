"""The last run is remembered for each controller."""

from pathlib import Path

import pytest

from outspread.client.last_run import LastRun
from outspread.errors import UserError


def test_each_controller_has_its_own(tmp_path: Path) -> None:
    last = LastRun(tmp_path / "state" / "last-runs")
    with pytest.raises(UserError, match="none was submitted to http://a"):
        last.get("http://a")
    last.remember("http://a", "r1")
    last.remember("http://b", "r2")
    last.remember("http://a", "r3")
    assert (last.get("http://a"), last.get("http://b")) == ("r3", "r2")


def test_what_is_no_text_is_no_memory(tmp_path: Path) -> None:
    last = LastRun(tmp_path)
    last.remember("http://a", "r1")
    (file,) = tmp_path.iterdir()
    file.write_bytes(b"\xff")
    with pytest.raises(UserError):
        last.get("http://a")
    last.remember("http://a", "r1")
    assert last.get("http://a") == "r1"


def test_where_nothing_can_be_kept_nothing_fails(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    LastRun(tmp_path / "file" / "last-runs").remember("http://a", "r1")
