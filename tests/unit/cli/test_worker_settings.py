from pathlib import Path
from typing import Any

import click
import pytest

from outspread.cli.controller_options import read_token
from outspread.cli.size_in_bytes import SizeInBytes
from outspread.cli.worker_settings import WorkerSettings, worker_settings
from outspread.errors import UserError
from outspread.worker.commands.job_limits import JobLimits


def settings(**options: Any) -> WorkerSettings:
    usual = {"slots": None, "dimensions": (), "name": None, "directory": None, "cache_bytes": 10 * 1024**3}
    usual |= {"job_memory": None, "job_processes": 100, "job_disk": None}
    return worker_settings(**{**usual, **options})


def test_a_host_is_what_it_is() -> None:
    found = settings()
    assert found.slots >= 1
    assert {"os", "arch", "cpus", "host", "system"} <= found.dimensions.keys()
    assert found.dimensions["os"] == "linux"
    assert found.directory.name == found.name
    assert found.cache_bytes == 10 * 1024**3


def test_what_is_told_goes_before_what_is_found(tmp_path: Path) -> None:
    found = settings(slots=7, dimensions=("os=bsd", "gpu=a=b"), name="w-1", directory=tmp_path)
    assert (found.slots, found.name, found.directory) == (7, "w-1", tmp_path)
    assert (found.dimensions["os"], found.dimensions["gpu"]) == ("bsd", "a=b")


@pytest.mark.parametrize(
    "options",
    [
        {"dimensions": ("gpu",)},
        {"dimensions": ("=x",)},
        {"name": "../up"},
        {"name": ""},
    ],
)
def test_what_cannot_be_meant_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(click.BadParameter):
        settings(**options)


def test_what_a_command_may_use() -> None:
    assert settings().job_limits == JobLimits(0, 100, 0)
    assert settings(job_memory=7, job_processes=8, job_disk=9).job_limits == JobLimits(7, 8, 9)


@pytest.mark.parametrize("text", ["1X", "", "0", "-1M", "M", "preserve-size"])
def test_a_size_is_a_size(text: str) -> None:
    with pytest.raises(click.BadParameter):
        SizeInBytes().convert(text, None, None)
    assert SizeInBytes().convert("2M", None, None) == 2 * 1024**2


def test_a_token_comes_from_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUTSPREAD_TOKEN", "of the environment")
    assert read_token(None) == "of the environment"
    (tmp_path / "token").write_text("of-the-file\n")
    assert read_token(str(tmp_path / "token")) == "of-the-file"
    with pytest.raises(UserError, match="cannot read the token from"):
        read_token(str(tmp_path / "absent"))
