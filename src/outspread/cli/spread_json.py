"""The report that spread-plus writes with ``-json``: an item for each script, and the counts of the summary.

Other programs read it: names, verbs and times are in the words of that report (specs/spread.md, section 20). Times are local,
with milliseconds and without a zone; what a backend's own scripts did has the level ``project``, too.
"""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from outspread.cli.job_lines import DOING
from outspread.cli.json_lines import valid_json
from outspread.cli.whole_file import check_writable, whole_file
from outspread.controller.values import AttemptFinished, Level, Outcome, Report, StepFinished
from outspread.errors import InfrastructureError
from outspread.project.model import Job

if TYPE_CHECKING:
    from outspread.cli.tally import Tally

_COUNTED = tuple(f"{level}-{verb}-failed" for level in ("task", "suite", "backend", "project") for verb in ("prepare", "restore"))


class Item(Struct, frozen=True):
    """One script, or a job that never came to any (``aborted``, ``skipped``)."""

    verb: str
    backend: str
    system: str
    level: str
    name: str  # of the project, the suite or the task
    start: str = ""
    end: str = ""
    variant: str = ""
    instance: str = ""
    success: bool = False
    aborted: bool = False
    skipped: bool = False


class _Document(Struct, frozen=True):
    items: list[Item]
    results: dict[str, int]


class SpreadJson:
    """Writes ``file`` when the run is over."""

    def __init__(self, file: str, project: str, jobs: Sequence[Job]) -> None:
        """Raises UserError when it could not be written."""
        self._file = Path(file).resolve()
        check_writable(self._file)
        self._project = project
        self._jobs = {job.name: job for job in jobs}
        self._undone = dict(self._jobs)
        self._items: list[Item] = []

    def feed(self, event: Report) -> None:
        match event:
            case StepFinished():
                self._items.append(self._of_step(event))
            case AttemptFinished(job=name, outcome=outcome) if name in self._jobs:
                self._undone.pop(name, None)
                if outcome in (Outcome.ABORTED, Outcome.CANCELLED, Outcome.SKIPPED):
                    self._items.append(_of_job(self._jobs[name], skipped=outcome is Outcome.SKIPPED))
            case _:
                pass

    def finish(self, tally: "Tally") -> None:
        self._items += [_of_job(job, skipped=False) for job in self._undone.values()]
        try:
            with whole_file(self._file) as target:
                target.write(valid_json(_Document(self._items, _results(tally))) + b"\n")
        except OSError as error:
            raise InfrastructureError(f"cannot write {self._file}: {error.strerror}") from error

    def _of_step(self, event: StepFinished) -> Item:
        job = self._jobs.get(event.job)
        level, name = {
            Level.TASK: (Level.TASK, job.task if job else event.job),
            Level.SUITE: (Level.SUITE, event.suite),
        }.get(event.level, (Level.PROJECT, self._project))
        return Item(
            verb=DOING[event.verb],
            backend=event.backend,
            system=event.system,
            level=level,
            name=name,
            start=_time(event.at - event.duration_s),
            end=_time(event.at),
            variant=job.variant if job and level is Level.TASK else "",
            instance=event.label,
            success=event.outcome is Outcome.PASSED,
        )


def _of_job(job: Job, *, skipped: bool) -> Item:
    return Item(
        verb="",
        backend=job.backend,
        system=job.system,
        level=Level.TASK,
        name=job.task,
        variant=job.variant,
        aborted=not skipped,
        skipped=skipped,
    )


def _results(tally: "Tally") -> dict[str, int]:
    failed = {section.title: len(section.names) for section in tally.failures}
    return {
        "task-passed": tally.successful,
        "task-failed": failed.get("Failed tasks", 0),
        "task-aborted": tally.aborted,
        "task-skipped": len(tally.skipped),
        "suite-skipped": len(tally.skipped_suites),
    } | {name: failed.get(f"Failed {name.removesuffix('-failed').replace('-', ' ')}", 0) for name in _COUNTED}


def _time(at: float) -> str:
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.localtime(at))}.{int(at * 1000) % 1000:03}"
