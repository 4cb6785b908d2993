from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outspread.cli.junit import JunitFile
from outspread.controller.values import AttemptFinished, Level, Outcome, Report, StepFinished, Verb
from outspread.errors import UserError
from outspread.project.model import Job

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=100)
TALLY: Any = None  # the file is made from events alone


def attempt(job: Job, outcome: Outcome, **fields: Any) -> AttemptFinished:
    return AttemptFinished(0.0, "s", 1, job.name, 1, outcome, 1.5, **fields)


def written(file: Path, jobs: list[Job], events: list[Report]) -> ElementTree.Element:
    junit = JunitFile(file, "demo", jobs)
    for event in events:
        junit.feed(event)
    junit.finish(TALLY)
    return ElementTree.fromstring(file.read_bytes())


def verdicts(root: ElementTree.Element) -> dict[str | None, str]:
    return {case.get("name"): case[0].tag if len(case) else "" for case in root.iter("testcase")}


def test_each_job_is_a_case_of_its_suite(tmp_path: Path, jobs: list[Job], events: list[Report]) -> None:
    root = written(tmp_path / "out.xml", jobs, events)
    assert root.attrib == {"name": "demo", "tests": "6", "failures": "1", "errors": "3", "skipped": "1", "time": "134.100"}
    (suite,) = root
    assert suite.attrib == {**root.attrib, "name": "lab:debian-12:tests", "timestamp": "2026-09-21T14:13:21"}
    assert {case.get("classname") for case in suite} == {"lab:debian-12:tests"}
    scripts = {"restore lab:debian-12:tests/bad": "error"}  # that no job's outcome tells of
    assert verdicts(root) == {"good": "", "bad": "failure", "needless": "skipped", "lost": "error", "never": "error"} | scripts


def test_a_failure_has_its_reason_and_output(tmp_path: Path, jobs: list[Job], events: list[Report]) -> None:
    case = next(case for case in written(tmp_path / "out.xml", jobs, events).iter("testcase") if case.get("name") == "bad")
    (failure,) = case
    assert failure.attrib == {"message": "exit code 1", "type": "failed"}
    assert failure.text == "+ grep caf\ufffd menu\n+ false\n<kill-timeout reached>\n"
    assert case.get("time") == "62.000"


def test_a_job_that_never_began_is_an_error(tmp_path: Path, jobs: list[Job]) -> None:
    root = written(tmp_path / "out.xml", jobs[:1], [])
    assert root.get("errors") == "1"
    assert next(root.iter("error")).attrib == {"message": "never begun", "type": "aborted"}


def test_suites_variants_and_samples_are_told_apart(tmp_path: Path) -> None:
    jobs = [
        Job("a:b-1:s/t:v#1", "a", "b-1", "s/", "s/t", "v", 1, 2),
        Job("a:b-1:s/t:v#2", "a", "b-1", "s/", "s/t", "v", 2, 2),
        Job("a:b-1:s/sub/t", "a", "b-1", "s/sub/", "s/sub/t"),
    ]
    root = written(tmp_path / "out.xml", jobs, [attempt(job, Outcome.PASSED) for job in jobs])
    assert [(suite.get("name"), [case.get("name") for case in suite]) for suite in root] == [
        ("a:b-1:s", ["t:v#1", "t:v#2"]),
        ("a:b-1:s/sub", ["t"]),
    ]


@pytest.mark.parametrize(
    ("outcomes", "verdict"),
    [
        ([Outcome.INFRA, Outcome.PASSED], ""),
        ([Outcome.PASSED, Outcome.INFRA], ""),
        ([Outcome.INFRA, Outcome.FAILED], "failure"),
        ([Outcome.TIMEOUT], "failure"),
        ([Outcome.CANCELLED], "error"),
        ([Outcome.ABORTED], "error"),
        ([Outcome.SKIPPED], "skipped"),
    ],
)
def test_attempts_together_make_the_verdict(tmp_path: Path, jobs: list[Job], outcomes: list[Outcome], verdict: str) -> None:
    root = written(tmp_path / "out.xml", jobs[:1], [attempt(jobs[0], outcome) for outcome in outcomes])
    assert verdicts(root) == {"good": verdict}


@settings(max_examples=50, deadline=None)
@given(reason=ANY_TEXT, output=ANY_TEXT, log=ANY_TEXT, name=ANY_TEXT, outcome=st.sampled_from(Outcome))
def test_whatever_is_printed_the_document_is_well_formed(
    tmp_path_factory: pytest.TempPathFactory, reason: str, output: str, log: str, name: str, outcome: Outcome
) -> None:
    job = Job(name, name, name, f"{name}/", f"{name}/{name}", name)
    step = StepFinished(
        0.0,
        Verb.EXECUTE,
        Level.TASK,
        name,
        name,
        name,
        name,
        name,
        job=name,
        outcome=Outcome.FAILED,
        reason=reason,
        output=output,
    )
    file = tmp_path_factory.getbasetemp() / "any.xml"
    root = written(file, [job], [step, attempt(job, outcome, reason=reason, log=log)])
    assert len(list(root.iter("testcase"))) == 1


def test_an_old_file_stays_until_the_new_one_is_whole(tmp_path: Path, jobs: list[Job], events: list[Report]) -> None:
    file = tmp_path / "out.xml"
    file.write_text("old")
    junit = JunitFile(file, "demo", jobs)
    for event in events:
        junit.feed(event)
    assert file.read_text() == "old"
    junit.finish(TALLY)
    assert file.read_text().startswith("<?xml")
    assert [path.name for path in tmp_path.iterdir()] == ["out.xml"]


def test_a_place_that_cannot_be_written_is_found_before_the_run(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^cannot write .*: its directory does not exist"):
        JunitFile(tmp_path / "no" / "out.xml", "demo", [])


def test_ten_thousand_failures_do_not_stay_in_memory(tmp_path: Path) -> None:
    jobs = [Job(f"a:b-1:s/t{number}", "a", "b-1", "s/", f"s/t{number}") for number in range(10_000)]
    junit = JunitFile(tmp_path / "out.xml", "demo", jobs)
    for job in jobs:
        junit.feed(attempt(job, Outcome.FAILED, reason="exit code 1", log="x" * 100))
    kept = [value for value in vars(junit).values() if isinstance(value, dict)]
    assert not any("x" * 100 in repr(next(iter(value.values()), "")) for value in kept)
    junit.finish(TALLY)
    assert (tmp_path / "out.xml").stat().st_size > 2_000_000
