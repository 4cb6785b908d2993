"""The last run is remembered for each controller."""

from pathlib import Path

import pytest

from outspread.client.last_run import LastRun
from outspread.errors import UserError


def test_each_controller_has_its_own(tmp_path: Path) -> None:
    last = LastRun(tmp_path / "state" / "last-runs.json")
    with pytest.raises(UserError, match="none was submitted to http://a"):
        last.get("http://a")
    last.remember("http://a", "r1")
    last.remember("http://b", "r2")
    last.remember("http://a", "r3")
    assert (last.get("http://a"), last.get("http://b")) == ("r3", "r2")


@pytest.mark.parametrize("content", ["", "[1]", "{"])
def test_a_file_of_something_else_is_no_memory(tmp_path: Path, content: str) -> None:
    file = tmp_path / "last-runs.json"
    file.write_text(content)
    last = LastRun(file)
    with pytest.raises(UserError):
        last.get("http://a")
    last.remember("http://a", "r1")
    assert last.get("http://a") == "r1"
