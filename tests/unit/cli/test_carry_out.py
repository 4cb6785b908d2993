import io
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from outspread.cli import carry_out as carry_out_module
from outspread.cli import run_and_show as run_and_show_module
from outspread.cli.carry_out import Verdict, carry_out
from outspread.cli.held_output import HeldOutput
from outspread.cli.keep_wish import KeepWish
from outspread.cli.renderer import Renderer
from outspread.cli.run_and_show import RunWish, options_for_again, run_and_show
from outspread.cli.selection import Selection, Wish
from outspread.cli.tally import Tally
from outspread.controller.values import (
    ArtifactsFetched,
    AttemptFinished,
    Level,
    Order,
    Outcome,
    Report,
    RunFinished,
    RunOptions,
    RunStarted,
    StepFinished,
    Verb,
)
from outspread.errors import UserError
from outspread.machines.reuse.kept_machines import KeptMachines
from outspread.project.host_commands import no_host_commands
from outspread.project.model import Backend, Job, Project, System

JOB = Job("a:b-1:s/t", "a", "b-1", "s/", "s/t")
STARTED = RunStarted(0.0, "run-1", 0, False, 1, "demo")
PASSED = AttemptFinished(1.0, "s", 1, JOB.name, 1, Outcome.PASSED, 1.0)
FINISHED = RunFinished(2.0, "run-1", True, 2.0)
FAILED = RunFinished(2.0, "run-1", False, 2.0)
PROJECT = Project(
    "demo", "/src", "/src/spread.yaml", "/home/demo", {"a": Backend("a", "sandbox", {"b-1": System("b-1", "a")})}, {}
)
BAD_RESTORE = StepFinished(
    1.0, Verb.RESTORE, Level.SUITE, "a:b-1:s/", "a:b-1", "", "a", "b-1", "s/", JOB.name, outcome=Outcome.FAILED
)


def judged(*events: Report) -> bool:
    tally, verdict = Tally(RunOptions()), Verdict()
    for event in events:
        tally.add(event)
        verdict.feed(event)
    verdict.finish(tally)
    return verdict.passed


@pytest.mark.parametrize(
    ("events", "passed"),
    [
        ((STARTED, PASSED, FINISHED), True),
        ((STARTED, PASSED), False),  # it never finished
        ((STARTED, FINISHED), False),  # a job that nobody tried
        ((STARTED, PASSED, FAILED), False),
        ((STARTED, PASSED, BAD_RESTORE, FINISHED), False),
        ((STARTED, PASSED, ArtifactsFetched(1.0, JOB.name, "a:b-1", 0, (), "no space"), FINISHED), False),
        ((STARTED, PASSED, ArtifactsFetched(1.0, JOB.name, "a:b-1", 0, ("log",)), FINISHED), True),
        ((STARTED, AttemptFinished(1.0, "s", 1, JOB.name, 1, Outcome.SKIPPED, 1.0), FINISHED), True),
        ((STARTED, AttemptFinished(1.0, "s", 1, JOB.name, 1, Outcome.INFRA, 1.0), FINISHED), False),
    ],
)
def test_the_verdict(events: tuple[Report, ...], passed: bool) -> None:
    assert judged(*events) is passed


class FakeRun:
    """Stands for what runs jobs: feeds events, and is interrupted if told so."""

    def __init__(self) -> None:
        self.events: Sequence[Report] = (STARTED, PASSED, FINISHED)
        self.interrupted = 0
        self.artifacts_dir: Path | None = None

    def __call__(
        self,
        project: Project,
        jobs: Sequence[Job],
        options: RunOptions,
        *,
        host: Any,
        renderers: Sequence[Renderer],
        artifacts_dir: Path | None,
        on_interrupt: Callable[[], None],
        out: HeldOutput,
        kept: KeptMachines,
        password: str,
    ) -> Tally:
        self.artifacts_dir = artifacts_dir
        self.kept = kept
        tally = Tally(options)
        for _ in range(self.interrupted):
            on_interrupt()
        for event in self.events:
            tally.add(event)
            for renderer in renderers:
                renderer.feed(event)
        for renderer in renderers:
            renderer.finish(tally)
        return tally


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> FakeRun:
    fake = FakeRun()
    monkeypatch.setattr(carry_out_module, "run_here", fake)
    monkeypatch.setattr(run_and_show_module, "select", lambda _: Selection(PROJECT, (JOB,), no_host_commands))
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    return fake


WISH = RunWish(Wish(()), RunOptions())


def test_all_passed(run: FakeRun, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_and_show(WISH) == 0
    assert capsys.readouterr().out.endswith("1 job: 1 passed in 2.0s\n")


def test_not_all_passed(run: FakeRun) -> None:
    run.events = (STARTED, FINISHED)
    assert run_and_show(WISH) == 1


def test_interrupted(run: FakeRun, capsys: pytest.CaptureFixture[str]) -> None:
    run.interrupted = 1
    assert run_and_show(WISH) == 130
    assert capsys.readouterr().err == "interrupted: ending what runs and giving machines back; once more to leave at once\n"


def test_a_second_interrupt_says_what_gives_machines_back(capsys: pytest.CaptureFixture[str], run: FakeRun) -> None:
    run.interrupted = 2
    selection = Selection(PROJECT, (JOB,), no_host_commands)
    carry_out(
        selection,
        RunOptions(),
        [],
        artifacts="",
        out=HeldOutput(io.TextIOWrapper(io.BytesIO())),
        keep=KeepWish(),
        discard_command="outspread discard --orphans",
    )
    assert capsys.readouterr().err.endswith("this gives back what is left: outspread discard --orphans\n")


def test_nobody_needs_to_read_that_a_run_was_interrupted(run: FakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    class Nobody(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError(text)

    run.interrupted = 1
    monkeypatch.setattr(sys, "stderr", Nobody())
    assert run_and_show(WISH) == 130


def test_sandboxes_cannot_be_kept(run: FakeRun) -> None:
    with pytest.raises(UserError, match="cannot keep machines of a: they end with the process that made them") as caught:
        run_and_show(WISH._replace(keep=KeepWish(reuse=True)))
    assert "--reuse" in caught.value.hint


def test_what_is_stopped_for_a_look_and_given_back_is_warned_of(
    run: FakeRun, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run_and_show(WISH._replace(options=RunOptions(abend=True)))
    assert capsys.readouterr().err == ""  # there is no other way with sandboxes
    lasting = replace(PROJECT, backends={"a": replace(PROJECT.backends["a"], type="adhoc")})
    monkeypatch.setattr(run_and_show_module, "select", lambda _: Selection(lasting, (JOB,), no_host_commands))
    run_and_show(WISH._replace(options=RunOptions(abend=True)))
    assert capsys.readouterr().err.startswith("warning: machines are given back at the end all the same")


def test_json_and_junit_at_once(run: FakeRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_and_show(WISH._replace(as_json=True, junit=str(tmp_path / "out.xml"))) == 0
    assert [line[:11] for line in capsys.readouterr().out.splitlines()] == [
        '{"event":"r',
        '{"event":"a',
        '{"event":"r',
        '{"event":"s',
    ]
    assert 'tests="1" failures="0"' in (tmp_path / "out.xml").read_text()


def test_the_directory_of_artifacts_is_made(run: FakeRun, tmp_path: Path) -> None:
    run_and_show(WISH._replace(artifacts=str(tmp_path / "a" / "b")))
    assert run.artifacts_dir == tmp_path / "a" / "b"
    assert (tmp_path / "a" / "b").is_dir()


def test_artifacts_that_cannot_be_kept_are_refused_before_the_run(run: FakeRun, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"^cannot keep artifacts in "):
        run_and_show(WISH._replace(artifacts=str(tmp_path / "file")))


def test_text_that_the_output_cannot_hold_is_replaced(run: FakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    run.events = (STARTED, AttemptFinished(1.0, "s", 1, JOB.name, 1, Outcome.FAILED, 1.0, reason="café"), FAILED)
    assert run_and_show(WISH) == 1
    assert b"caf?" in raw.getvalue()


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        (WISH, ""),
        (RunWish(Wish(("x",), strict=True), RunOptions(seed=5, workers=3, abend=True), artifacts="out"), ""),
        (
            RunWish(Wish((), directory="sub", flavour="spread-plus", sandbox=True), RunOptions()),
            "-C sub --flavour spread-plus --sandbox",
        ),
        (RunWish(Wish(()), RunOptions(order=Order.GIVEN, repeat=9, restore_only=True)), "--order given --repeat 9 --restore"),
    ],
)
def test_what_it_takes_to_get_there_again(wish: RunWish, words: str) -> None:
    assert " ".join(options_for_again(wish)) == words
