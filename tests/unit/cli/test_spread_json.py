"""The report that spread-plus writes."""

import json
from pathlib import Path
from typing import Any

import pytest

from outspread.cli.spread_json import SpreadJson
from outspread.cli.tally import Tally
from outspread.controller.values import Report, RunOptions
from outspread.errors import UserError
from outspread.project.model import Job


def written(events: list[Report], jobs: list[Job], file: Path) -> dict[str, Any]:
    report = SpreadJson(str(file), "demo", jobs)
    tally = Tally(RunOptions())
    for event in events:
        tally.add(event)
        report.feed(event)
    report.finish(tally)
    read = json.loads(file.read_text())
    assert isinstance(read, dict)
    return read


def test_every_script_and_every_job_that_had_none_is_an_item(events: list[Report], jobs: list[Job], tmp_path: Path) -> None:
    report = written(events, jobs, tmp_path / "out.json")
    shown = [
        (item["verb"], item["level"], item["name"], item["success"], item["aborted"], item["skipped"]) for item in report["items"]
    ]
    assert shown == [
        ("preparing", "project", "demo", True, False, False),
        ("executing", "task", "tests/good", True, False, False),
        ("executing", "task", "tests/bad", False, False, False),
        ("restoring", "task", "tests/bad", False, False, False),
        ("checking", "task", "tests/needless", True, False, False),
        ("", "task", "tests/needless", False, False, True),
        ("", "task", "tests/never", False, True, False),
    ]
    assert report["items"][1] == {
        "verb": "executing",
        "backend": "lab",
        "system": "debian-12",
        "level": "task",
        "name": "tests/good",
        "start": "2026-09-21T14:13:32.000",
        "end": "2026-09-21T14:13:36.000",
        "variant": "",
        "instance": "d1",
        "success": True,
        "aborted": False,
        "skipped": False,
    }


def test_the_counts_are_those_of_the_summary(events: list[Report], jobs: list[Job], tmp_path: Path) -> None:
    assert written(events, jobs, tmp_path / "out.json")["results"] == {
        "task-passed": 1,
        "task-failed": 1,
        "task-aborted": 1,
        "task-skipped": 1,
        "suite-skipped": 0,
        "task-prepare-failed": 0,
        "task-restore-failed": 1,
        "suite-prepare-failed": 0,
        "suite-restore-failed": 0,
        "backend-prepare-failed": 0,
        "backend-restore-failed": 0,
        "project-prepare-failed": 0,
        "project-restore-failed": 0,
    }


def test_a_file_that_cannot_be_written_is_refused_before_the_run(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^cannot write "):
        SpreadJson(str(tmp_path / "none/out.json"), "demo", [])
