"""The commands that speak with a controller: what they submit, print, and end with. The controller is one in memory."""

import contextlib
import io
import json
import sys
import xml.etree.ElementTree as ET
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
from tests.servers.memory_port import MemoryPort

from outspread.cli.controller_options import Visitor
from outspread.cli.main import main
from outspread.controller.command_values import CommandJob, CommandRun, Isolation
from outspread.store.disk_store import DiskStore


class Ended(NamedTuple):
    code: int
    out: str
    err: str


Call = Callable[..., Ended]


@pytest.fixture
def port() -> MemoryPort:
    return MemoryPort()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[DiskStore]:
    with DiskStore(tmp_path / "store") as store:
        yield store


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory to be in."""
    directory = tmp_path / "engine"
    directory.mkdir()
    monkeypatch.chdir(directory)
    return directory


@pytest.fixture
def call(
    port: MemoryPort,
    store: DiskStore,
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsysbinary: pytest.CaptureFixture[bytes],
    tmp_path: Path,
) -> Call:
    """Call ``outspread`` with arguments and standard input."""

    @asynccontextmanager
    async def controller(_: Visitor) -> AsyncIterator[MemoryPort]:
        yield port

    @asynccontextmanager
    async def blobs(_: Visitor) -> AsyncIterator[DiskStore]:
        yield store

    monkeypatch.setattr(Visitor, "controller", controller)
    monkeypatch.setattr(Visitor, "store", blobs)
    for name in ("OUTSPREAD_CONTROLLER", "OUTSPREAD_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OUTSPREAD_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("LOGNAME", "me")

    def call(*arguments: str, said: bytes = b"") -> Ended:
        monkeypatch.setattr(sys, "argv", ["outspread", *arguments])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(said)))
        with pytest.raises(SystemExit) as caught:
            main()
        out, err = capsysbinary.readouterr()
        assert isinstance(caught.value.code, int)
        return Ended(caught.value.code, out.decode(), err.decode())

    return call


def only(port: MemoryPort) -> CommandRun:
    (run,) = port.runs.values()
    return run.submitted


# --- submit ---


def test_a_command_with_everything(call: Call, port: MemoryPort, here: Path) -> None:
    (here / "src").mkdir()
    (here / "src/main.c").write_text("int main;")
    ended = call(
        *("submit", "--run-id", "r1", "-n", "nightly", "--project", "p", "--stop-after", "3"),
        *("-i", "src", "--directory", ".", "-o", "*.log", "--writable", "main.c", "-e", "A=b=c", "--require", "os=linux"),
        *("--limit", "db", "--timeout", "90s", "--retries", "2", "--priority", "5", "--image", "/images/old"),
        *("--", "pass", "--all"),
    )  # fmt: skip
    assert ended.code == 0, ended.err
    run = only(port)
    (job,) = run.jobs
    assert (run.run_id, run.owner, run.name, run.project, run.stop_after) == ("r1", "me", "nightly", "p", 3)
    assert job == CommandJob(
        name="pass --all",
        command=("pass", "--all"),
        inputs=job.inputs,
        directory=".",
        environment={"A": "b=c"},
        timeout_s=90.0,
        retries=2,
        outputs=("*.log",),
        writable=("main.c",),
        requires={"os": "linux"},
        priority=5,
        limits=("db",),
        isolation=Isolation.SANDBOX,
        image="/images/old",
    )
    assert job.inputs.endswith(tuple("0123456789"))
    assert ended.out.splitlines() == [
        "src: 1 files; 0.0 MB in 2 blobs to send",
        "run r1: 1 job",
        "",
        "run r1 done after 10s: 1 passed",
    ]


def test_jobs_that_fail_are_shown_as_they_come(call: Call, port: MemoryPort) -> None:
    ended = call("submit", "--run-id", "r1", "-", said=b"x\ny\n")
    assert (ended.code, [job.command for job in only(port).jobs]) == (0, [("/bin/sh", "-c", "x"), ("/bin/sh", "-c", "y")])
    ended = call("submit", "--run-id", "r2", "--repeat", "2", "--", "fail", "loudly")
    assert ended.code == 88
    assert ended.out.splitlines() == [
        "run r2: 2 jobs",
        "FAILED     fail loudly #1  1.0s on ann  exit code 1",
        "  | fail",
        "  | loudly",
        "FAILED     fail loudly #2  1.0s on ann  exit code 1",
        "  | fail",
        "  | loudly",
        "",
        "2 jobs did not pass:",
        "  fail loudly #1",
        "  fail loudly #2",
        "",
        "run r2 done after 10s: 2 failed",
        "again: outspread rerun --failed r2",
    ]


def test_a_job_for_each_file_that_is_uploaded(call: Call, port: MemoryPort, here: Path) -> None:
    for name in ("tests/test_a.py", "tests/test_b.py", "tests/test_c.py", "tests/deep/test_d.py", ".outspreadignore"):
        (here / name).parent.mkdir(parents=True, exist_ok=True)
        (here / name).write_text("test_c.py\n")
    ended = call("submit", "--each", "tests/**/test_*.py", "--exclude", "test_b.py", "--", "pass", "{}")
    assert ended.code == 0, ended.err
    run = only(port)
    assert [(job.name, job.command) for job in run.jobs] == [
        (name, ("pass", name)) for name in ("tests/deep/test_d.py", "tests/test_a.py")
    ]
    assert len({job.inputs for job in run.jobs}) == 1
    assert run.project == "engine"
    assert ".: 3 files;" in ended.out
    assert (
        ".: 3 files; nothing to send"
        in call("submit", "--each", "tests/test_a.py", "--exclude", "test_b.py", "--", "pass", "{}").out
    )


def test_a_file_of_jobs(call: Call, port: MemoryPort, here: Path) -> None:
    (here / "suite/data").mkdir(parents=True)
    jobs = [{"name": "a", "command": ["pass"], "inputs": "data", "retries": 1}, {"name": "b", "command": ["pass"]}]
    (here / "suite/jobs.json").write_text(json.dumps({"name": "n", "jobs": jobs}))
    assert call("submit", "-f", "suite/jobs.json").code == 0
    run = only(port)
    assert (run.name, run.project) == ("n", "suite")
    assert [bool(job.inputs) for job in run.jobs] == [True, False]
    (here / "bad.json").write_text('[{"name": "a", "command": ["x"], "colour": "red"}]')
    ended = call("submit", "-f", "bad.json")
    assert ended.code == 1
    assert "colour" in ended.err
    assert "$[0]" in ended.err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "give a command"),
        (("--each", "*.py", "-"), "--each needs a command"),
        (("-f", "jobs.json", "--", "x"), "not with --each or a command"),
        (("-f", "jobs.json", "--timeout", "5s", "-e", "A=b"), "not with --env, --timeout"),
        (("--no-wait", "--junit", "x", "--", "x"), "--junit needs the end"),
        (("-e", "nothing", "--", "x"), "not of the form NAME=VALUE"),
        (("--input", "/nonexistent", "--", "x"), "does not exist"),
    ],
)
def test_a_command_line_that_is_wrong(call: Call, port: MemoryPort, here: Path, arguments: tuple[str, ...], says: str) -> None:
    (here / "jobs.json").write_text("[]")
    ended = call("submit", *arguments)
    assert ended.code == 2
    assert says in " ".join(ended.err.split())
    assert port.runs == {}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("-f", "jobs.json"), "there are no jobs"),
        (("-",), "there are no jobs"),
        (("--each", "*.py", "--", "x", "{}"), "matches *.py"),
        (("--each", "jobs.json", "--", "x"), "the command has no {}"),
        (("--junit", "no/such/file", "--", "x"), "cannot write"),
    ],
)
def test_what_cannot_be_submitted(call: Call, port: MemoryPort, here: Path, arguments: tuple[str, ...], says: str) -> None:
    (here / "jobs.json").write_text("[]")
    ended = call("submit", *arguments)
    assert (ended.code, ended.err.startswith("error: cannot ")) == (1, True)
    assert says in ended.err
    assert port.runs == {}


def test_the_same_run_twice_is_one_run(call: Call, port: MemoryPort) -> None:
    assert [call("submit", "--run-id", "r1", "--", "pass").code for _ in range(2)] == [0, 0]
    assert len(only(port).jobs) == 1
    assert len(port.runs["r1"].ended) == 1
    ended = call("submit", "--run-id", "r1", "--", "fail")
    assert ended.code == 1
    assert "another of this id" in ended.err


def test_reports_for_programs(call: Call, here: Path) -> None:
    ended = call("submit", "--json", "--junit", "report.xml", "--run-id", "r1", "--repeat", "2", "--", "flaky")
    lines = [json.loads(line) for line in ended.out.splitlines()]
    assert [line["event"] for line in lines] == ["run-submitted", *["attempt-ended"] * 4, "run-ended"]
    assert (lines[-1]["passed"], lines[-1]["counts"]["flaky"], ended.code) == (True, 2, 0)
    suites = ET.parse(here / "report.xml").getroot()
    assert suites.attrib["tests"] == "2"
    assert [case.attrib["name"] for case in suites.iter("testcase")] == ["flaky #1", "flaky #2"]


def test_not_waiting(call: Call, port: MemoryPort) -> None:
    assert call("submit", "--no-wait", "--run-id", "r1", "--", "fail").code == 0
    assert port.runs["r1"].ended == []
    (line,) = call("submit", "--no-wait", "--json", "--run-id", "r2", "--", "fail").out.splitlines()
    assert json.loads(line)["run_id"] == "r2"


def test_who_stops_watching_is_told_how_to_go_on(call: Call, port: MemoryPort) -> None:
    port.interrupted = True
    ended = call("submit", "--run-id", "r1", "--", "pass")
    assert ended.code == 130
    assert ended.err.split("\n")[0] == "the run goes on: outspread watch r1 shows it, outspread cancel r1 ends it"
    assert call("watch").err == ended.err
    port.interrupted = False
    assert call("watch").code == 0


def test_who_stops_before_there_is_a_run_is_not_told_of_one(
    call: Call, port: MemoryPort, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("outspread.client.submission.upload_tree", stop)
    ended = call("submit", "-i", ".", "--", "pass")
    assert (ended.code, ended.err.strip()) == (130, "interrupted")
    monkeypatch.setattr(MemoryPort, "submit_commands", stop)
    assert "may have been submitted" in call("submit", "--", "pass").err


# --- afterwards ---


@pytest.fixture
def submitted(call: Call, port: MemoryPort) -> MemoryPort:
    """A run r1 of four jobs that is over, and the one that was submitted last."""
    call("submit", "--run-id", "r1", "-n", "nightly", "-", said=b"pass\n")
    lines = "\n".join(
        json.dumps({"name": name, "command": [name.split("-")[0]]}) for name in ("pass", "fail-a", "flaky", "fail-b")
    )
    document = f"[{lines.replace(chr(10), ',')}]"
    with contextlib.suppress(FileNotFoundError):
        Path("jobs.json").unlink()
    Path("jobs.json").write_text(document)
    assert call("submit", "--run-id", "r2", "-f", "jobs.json").code == 88
    return port


@pytest.mark.usefixtures("submitted")
def test_status(call: Call) -> None:
    assert call("status").out.splitlines()[1] == "4 jobs: 2 passed, 2 failed, 1 of them flaky"
    assert call("status", "r1").out.splitlines()[0].startswith("run r1, engine, nightly, by me, ")
    assert [line.split()[0] for line in call("status", "--failed").out.splitlines()[2:]] == ["attempt", "r2.1.1", "r2.3.1"]
    assert len(json.loads(call("status", "--jobs", "--json").out)["jobs"]) == 4
    assert [run["run_id"] for run in json.loads(call("status", "--all", "--json").out)["runs"]] == ["r2", "r1"]
    assert call("status", "--all", "r1").code == 2
    ended = call("status", "nothing")
    assert (ended.code, ended.err) == (1, "error: cannot find run nothing\n")


def test_without_a_run_there_is_none_to_be_meant(call: Call) -> None:
    ended = call("status")
    assert (ended.code, ended.err.splitlines()[0]) == (
        1,
        "error: cannot tell which run: none was submitted to http://127.0.0.1:8080 from here",
    )


@pytest.mark.usefixtures("submitted")
def test_logs_by_any_name(call: Call) -> None:
    assert [call("logs", name).out for name in ("r2.1", "r2.1.1", "fail-a")] == ["fail\n"] * 3
    assert call("logs", "pass", "--run", "r1").code == 0
    ended = call("logs", "fail")
    assert (ended.code, ended.err) == (1, "error: cannot find job fail: several are named so: fail-a, fail-b\n")
    assert "cannot find attempt 7 of fail-a" in call("logs", "r2.1.7").err
    assert call("logs", "-f", "flaky").out == "flaky\n"


@pytest.mark.usefixtures("submitted")
def test_what_failed_runs_again(call: Call, submitted: MemoryPort) -> None:
    assert call("rerun", "--failed", "--no-wait").code == 0
    newest = list(submitted.runs.values())[-1].submitted
    assert [job.name for job in newest.jobs] == ["fail-a", "fail-b"]
    assert newest.run_id not in ("r1", "r2")
    assert call("rerun", "r1").code == 0
    ended = call("rerun", "--failed", "r1")
    assert (ended.code, ended.err) == (1, "error: cannot run jobs of run r1 again: none has failed\n")


def test_what_has_not_run_yet_has_not_failed(call: Call, port: MemoryPort) -> None:
    call("submit", "--run-id", "r1", "--no-wait", "--", "wait")
    assert call("rerun", "--failed").code == 1
    assert call("cancel", "--reason", "enough").out == "run r1 is cancelled\n"
    assert port.runs["r1"].cancel_reason == "enough"
    assert call("watch").code == 88
    assert call("rerun", "--failed", "--no-wait").code == 0


@pytest.mark.usefixtures("submitted")
def test_fetch_leaves_what_is_there(call: Call, here: Path) -> None:
    (here / "results/r2").mkdir(parents=True)
    (here / "results/r2/00001.1.fail-a.log").write_text("mine")
    assert call("fetch", "-d", "results").out.splitlines() == [
        f"results/r2/{name}.log" for name in ("00000.1.pass", "00002.1.flaky", "00002.2.flaky", "00003.1.fail-b")
    ]
    assert (here / "results/r2/00001.1.fail-a.log").read_text() == "mine"
    assert len(list((here / "results/r2").iterdir())) == 5
    assert call("fetch", "-d", "bad", "--failed").out.split() == [
        f"bad/r2/{name}.log" for name in ("00001.1.fail-a", "00002.1.flaky", "00003.1.fail-b")
    ]
    assert call("fetch", "-d", "none", "--artifacts").out == ""
    assert call("fetch", "-d", "jobs.json").code == 2


def test_reproduce(call: Call, here: Path) -> None:
    (here / "src").mkdir()
    (here / "src/data").write_text("content")
    call("submit", "--run-id", "r1", "-i", "src", "-e", "A=it's", "--", "fail")
    ended = call("reproduce", "r1.0", "-d", "again")
    assert ended.code == 0, ended.err
    assert ended.out == f"{here}/again/run runs the command; {here}/again/run sh opens a shell where it starts\n"
    assert (here / "again/tree/data").read_text() == "content"
    assert "A=it'\"'\"'s" in (here / "again/run").read_text()
    assert "exists already" in call("reproduce", "r1.0", "-d", "again").err
    assert call("reproduce", "r1.0", "--run").code == 127  # there is no command named fail
    assert sorted(path.name for path in here.iterdir()) == ["00000.1.fail", "again", "src"]
    assert call("reproduce", "r1.0", "--run", "--shell").code == 2


def test_why(call: Call) -> None:
    call("submit", "--run-id", "r1", "--no-wait", "--", "wait")
    assert call("why", "wait").out == "wait waits: no worker has os=plan9\n"
    assert json.loads(call("why", "r1.0", "--json").out)["state"] == "queued"


def test_how_many_slots_it_takes(call: Call) -> None:
    out = call("submit", "--run-id", "r1", "--no-wait", "--finish-in", "10s", "--", "wait").out
    assert "to be done in 10s it takes 1 slot\nthe 2 slots that are there take about 0.5s, if they do nothing else\n" in out
    assert "nothing is known of 1 of 1 job: a guess" in out
    assert "it cannot be done in 0.5s: one job alone takes about 1.0s" in call("status", "--finish-in", "500ms").out
    assert json.loads(call("status", "--finish-in", "5s", "--json").out)["slots"]["slots"] == 1
    assert call("status", "--all", "--finish-in", "5s").code == 2


def test_top(call: Call) -> None:
    call("submit", "--run-id", "r1", "--no-wait", "--", "wait")
    lines = call("top").out.splitlines()
    assert lines[0] == "jobs: 0 running, 1 waiting; runs: 1"
    assert ["1", "3.0s", "os=plan9"] in [line.split() for line in lines]
    assert json.loads(call("top", "--json").out)["figures"]["slots"] == 2


@pytest.mark.usefixtures("submitted")
def test_history_of_a_controller(call: Call) -> None:
    def history(*arguments: str) -> Ended:
        return call("history", "--controller", "http://farm", *arguments)

    assert [line.split()[0] for line in history().out.splitlines()] == ["run", "r2", "r1"]
    assert len(json.loads(history("--all", "--json").out)) == 2
    lines = history("r2").out.splitlines()
    assert lines[3] == "FAILED     fail-a  1.0s on ann  exit code 1"
    assert lines[-1].split()[:2] == ["r2.3.1", "failed"]
    assert history("r2", "--log", "fail-a").out == "fail\n"
    assert history("r2", "--log", "flaky", "--attempt", "3").code == 1
    assert [line.split()[0] for line in history("--job", "flaky").out.splitlines()] == ["attempt", "r2.2.2", "r2.2.1"]
    assert history("--job", "flaky", "--project", "other").out == ""
    assert history("--log", "x").code == 2
    assert call("history", "--job", "x").code == 2


@pytest.mark.usefixtures("submitted")
def test_over_all_runs(call: Call) -> None:
    assert [line.split()[0] for line in call("flaky").out.splitlines()] == ["flaky", "1"]
    assert call("workers").out.splitlines()[1].split()[:2] == ["ann", "working"]
    assert "ann is on hold: broken disk" in call("workers", "--hold", "ann", "--reason", "broken disk").out
    assert "on hold" not in call("workers", "--release", "ann").out
    assert call("workers", "--hold", "ann").code == 2
    assert call("workers", "--release", "eve").err == "error: cannot hold eve: there is no such worker\n"
    assert json.loads(call("workers", "--json").out)[0]["name"] == "ann"


@pytest.mark.parametrize("content", [b"", b"\xff"])
def test_a_token_comes_from_a_file(call: Call, here: Path, content: bytes) -> None:
    (here / "token").write_bytes(content)
    ended = call("workers", "--token-file", "token")
    assert ended.code == (0 if not content else 1)
    assert ended.err == ("" if not content else "error: cannot read the token from token: it holds none\n")
