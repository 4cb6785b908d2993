"""A run as JUnit XML, the form that build servers read results in.

A ``testsuite`` for each suite, a ``testcase`` for each job: ``classname`` is ``backend:system:suite``, ``name`` the task with its
variant and sample. A failed or timed out job has a ``failure``, one without a verdict an ``error``, one left out ``skipped``.
A restore that failed, or a script above the jobs, is an ``error`` of its own.
"""

import itertools
import os
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING

from msgspec import Struct

from outspread.cli.terminal_text import shown_text
from outspread.cli.whole_file import check_writable, whole_file
from outspread.cli.xml_text import xml_attribute, xml_text
from outspread.controller.values import AttemptFinished, Level, Outcome, Report, RunStarted, StepFinished, Verb
from outspread.errors import InfrastructureError
from outspread.project.model import Job

if TYPE_CHECKING:
    from outspread.cli.tally import Tally

_ELEMENTS = {Outcome.PASSED: "", Outcome.FAILED: "failure", Outcome.TIMEOUT: "failure", Outcome.SKIPPED: "skipped"}
_FAILURES = (Outcome.FAILED, Outcome.TIMEOUT)
_OUTPUT_CHARACTERS = 1024 * 1024  # of one job; the end of it, where the failure is


class _Case(Struct, frozen=True):
    """Where a job's element lies in the spool, and what it adds to its suite's counts."""

    offset: int
    size: int
    element: str  # "failure", "error", "skipped", or "" when it passed
    duration_s: float


class JunitFile:
    """Writes ``file`` at the end, whole or not at all; until then elements wait in a spool on disk, not in memory."""

    def __init__(self, file: Path, project: str, jobs: Sequence[Job]) -> None:
        check_writable(file)
        self._file = file
        self._project = project
        self._jobs = {job.name: job for job in jobs}
        self._spool: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - it lives until finish
        self._cases: dict[str, _Case] = {}
        self._scripts: dict[str, list[_Case]] = {}  # by suite: scripts that failed and no job's outcome tells of
        self._outputs: dict[str, str] = {}  # job in hand: what its failing scripts printed
        self._began_at = 0.0

    def feed(self, event: Report) -> None:
        if isinstance(event, StepFinished) and event.outcome in _FAILURES and _is_untold(event):
            self._script(event)
        match event:
            case RunStarted(at=at):
                self._began_at = at
            case StepFinished(outcome=outcome, job=job) if outcome is not Outcome.PASSED and job not in self._cases:
                self._outputs[job] = (self._outputs.get(job, "") + event.output)[-_OUTPUT_CHARACTERS:]
            case AttemptFinished(job=job) if job in self._jobs:
                self._attempt(event)
            case _:
                pass

    def finish(self, tally: "Tally") -> None:
        """Write the file. Jobs that had no attempt are errors: nothing is known of them."""
        for name in self._jobs.keys() - self._cases.keys():
            self._keep(self._jobs[name], "error", kind="aborted", reason="never begun", output="", duration_s=0.0)
        with self._spool:
            try:
                self._write()
            except OSError as error:
                raise InfrastructureError(f"cannot write {self._file}: {error.strerror}") from error

    def _attempt(self, event: AttemptFinished) -> None:
        output = self._outputs.pop(event.job, "") or event.log[-_OUTPUT_CHARACTERS:]
        earlier = self._cases.get(event.job)
        if earlier is not None and not earlier.element:
            return  # an attempt that passed has decided
        element = _ELEMENTS.get(event.outcome, "error")
        self._keep(
            self._jobs[event.job],
            element,
            kind=event.outcome,
            reason=event.reason,
            output=output if element in ("failure", "error") else "",
            duration_s=event.duration_s,
        )

    def _script(self, event: StepFinished) -> None:
        """Keep a failed script as a case of its own: an error, named after its subject."""
        suite = f"{event.backend}:{event.system}:{event.suite.rstrip('/')}"
        shown = xml_text(shown_text(event.output[-_OUTPUT_CHARACTERS:]))
        case = (
            f"<testcase classname={xml_attribute(suite)} name={xml_attribute(f'{event.verb} {event.context}')}"
            f" time={xml_attribute(f'{event.duration_s:.3f}')}>"
            f"<error message={xml_attribute(event.reason)} type={xml_attribute(event.outcome)}>{shown}</error></testcase>\n"
        ).encode()
        kept = _Case(self._spool.seek(0, os.SEEK_END), self._spool.write(case), "error", event.duration_s)
        self._scripts.setdefault(suite, []).append(kept)

    def _keep(self, job: Job, element: str, *, kind: str, reason: str, output: str, duration_s: float) -> None:
        content = ""
        if element:
            typed = "" if element == "skipped" else f" type={xml_attribute(kind)}"
            shown = xml_text(shown_text(output))
            content = f"<{element} message={xml_attribute(reason)}{typed}>{shown}</{element}>"
        case = (
            f"<testcase classname={xml_attribute(_suite_name(job))}"
            f" name={xml_attribute(_case_name(job))} time={xml_attribute(f'{duration_s:.3f}')}>{content}</testcase>\n"
        ).encode()
        self._cases[job.name] = _Case(self._spool.seek(0, os.SEEK_END), self._spool.write(case), element, duration_s)

    def _write(self) -> None:
        with whole_file(self._file) as target:
            self._write_suites(target)

    def _write_suites(self, target: IO[bytes]) -> None:
        suites: dict[str, list[_Case]] = {}
        for name, job in self._jobs.items():
            suites.setdefault(_suite_name(job), []).append(self._cases[name])
        for suite, scripts in self._scripts.items():
            suites.setdefault(suite, []).extend(scripts)
        target.write(b'<?xml version="1.0" encoding="UTF-8"?>\n')
        target.write(f"<testsuites name={xml_attribute(self._project)} {_counts(itertools.chain(*suites.values()))}>\n".encode())
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(self._began_at))
        for suite, cases in suites.items():
            target.write(f'<testsuite name={xml_attribute(suite)} {_counts(cases)} timestamp="{stamp}">\n'.encode())
            for case in cases:
                self._spool.seek(case.offset)
                target.write(self._spool.read(case.size))
            target.write(b"</testsuite>\n")
        target.write(b"</testsuites>\n")


def _is_untold(step: StepFinished) -> bool:
    """Tell whether no job's outcome tells of this script's failure: it restores, or prepares for several jobs."""
    return step.verb is Verb.RESTORE or step.level is not Level.TASK


def _suite_name(job: Job) -> str:
    return f"{job.backend}:{job.system}:{job.suite.rstrip('/')}"


def _case_name(job: Job) -> str:
    name = job.task.removeprefix(job.suite)
    variant = f":{job.variant}" if job.variant else ""
    sample = f"#{job.sample}" if job.samples > 1 else ""
    return f"{name}{variant}{sample}"


def _counts(cases: Iterable[_Case]) -> str:
    tests = failures = errors = skipped = 0
    seconds = 0.0
    for case in cases:
        tests += 1
        failures += case.element == "failure"
        errors += case.element == "error"
        skipped += case.element == "skipped"
        seconds += case.duration_s
    return f'tests="{tests}" failures="{failures}" errors="{errors}" skipped="{skipped}" time="{seconds:.3f}"'
