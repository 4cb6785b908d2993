"""``outspread up`` in one place and the client's commands in another, as people use them."""

import json
import os
import re
import signal
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.cli.conftest import PROGRAMS

PASSED, FAILED = 0, 88


class Farm:
    """A controller with a worker, and a user who has a project."""

    def __init__(self, directory: Path, url: str, environment: dict[str, str]) -> None:
        self.url = url
        self.project = directory / "project"
        self.project.mkdir()
        self._environment = environment

    def outspread(self, *arguments: str, stdin: str = "", check: int | None = None) -> subprocess.CompletedProcess[str]:
        """Run a command in the project."""
        ended = subprocess.run(
            [PROGRAMS / "outspread", *arguments],
            cwd=self.project,
            env=self._environment,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert check is None or ended.returncode == check, f"{ended.returncode}: {ended.stdout}{ended.stderr}"
        return ended

    def begin(self, *arguments: str) -> "subprocess.Popen[str]":
        """Begin a command in the project."""
        return subprocess.Popen(
            [PROGRAMS / "outspread", *arguments],
            cwd=self.project,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, dict[str, str]]]:
    directory = tmp_path_factory.mktemp("farm")
    environment = {
        **os.environ,
        "XDG_CACHE_HOME": str(directory / "cache"),
        "OUTSPREAD_STATE": str(directory / "state"),
    }
    words = [str(PROGRAMS / "outspread"), "up", "--listen", "127.0.0.1:0", "--slots", "2"]
    with (
        (directory / "log").open("w") as log,
        subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, stderr=log, text=True) as process,
    ):
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.search(r"http://[0-9.:]+", line)
        assert found is not None, (directory / "log").read_text()
        assert "with 2 slots" in line
        yield found[0], {**environment, "OUTSPREAD_CONTROLLER": found[0]}
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0


@pytest.fixture
def farm(served: tuple[str, dict[str, str]], tmp_path: Path) -> Farm:
    url, environment = served
    return Farm(tmp_path, url, {**environment, "OUTSPREAD_STATE": str(tmp_path / "state")})


def run_id(output: str) -> str:
    found = re.search(r"^run (\S+): \d+ jobs?$", output, re.MULTILINE)
    assert found is not None, output
    return found[1]


def test_each_file_of_a_suite_is_a_job(farm: Farm) -> None:
    (farm.project / "tests").mkdir()
    for name, text in (("good", "cat data"), ("bad", "echo it broke; exit 3"), ("neighbour", ". ./tests/good.sh")):
        (farm.project / f"tests/{name}.sh").write_text(text)
    (farm.project / "data").write_text("the data\n")
    (farm.project / ".outspreadignore").write_text("secret\n")
    (farm.project / "secret").write_text("x")
    words = ["--each", "tests/*.sh", "--name", "suite", "--junit", "report.xml"]
    submitted = farm.outspread("submit", *words, "--", "sh", "{}", check=FAILED)
    run = run_id(submitted.stdout)
    assert re.search(r"^FAILED     tests/bad.sh  \S+ on \S+  exit code 3\n  \| it broke$", submitted.stdout, re.MULTILINE)
    assert "2 passed, 1 failed" in submitted.stdout
    suite = ET.parse(farm.project / "report.xml").getroot()[0]
    assert (suite.attrib["tests"], suite.attrib["failures"]) == ("3", "1")
    failure = suite[0].find("failure")
    assert failure is not None
    assert (failure.attrib["message"], failure.text) == ("exit code 3", "it broke\n")
    assert farm.outspread("logs", "tests/good.sh", check=0).stdout == "the data\n"
    assert farm.outspread("logs", f"{run}.0", check=0).stdout == "it broke\n"
    assert farm.outspread("logs", "-f", f"{run}.0.1", check=0).stdout == "it broke\n"
    assert "3 jobs: 2 passed, 1 failed" in farm.outspread("status", check=0).stdout
    listed = farm.outspread("status", "--failed", check=0).stdout
    assert "tests/bad.sh" in listed
    assert "tests/good.sh" not in listed
    assert run in farm.outspread("status", "--all", check=0).stdout
    assert "is done: failed" in farm.outspread("why", "tests/bad.sh", check=0).stdout
    assert farm.outspread("watch", check=FAILED).stdout.count("FAILED     tests/bad.sh") == 1
    again = farm.outspread("rerun", "--failed", check=FAILED).stdout
    assert re.search(rf"^run \S+: 1 job of run {run}$", again, re.MULTILINE)


def test_inputs_are_read_only_outputs_are_kept_and_fetched(farm: Farm) -> None:
    (farm.project / "in").mkdir()
    (farm.project / "in/a").write_text("old")
    (farm.project / "in/b").write_text("old")
    script = "echo new > b; echo out > made.txt; mkdir -p deep/er; echo deep > deep/er/made.txt; ls -l a; echo $OUTSPREAD_JOB"
    words = ["-i", "in", "-o", "**/made.txt", "--writable", "b", "-e", "X=1", "--repeat", "2"]
    farm.outspread("submit", *words, "--run-id", "made", "--", "sh", "-c", script, check=PASSED)
    assert (farm.project / "in/b").read_text() == "old"
    fetched = farm.outspread("fetch", "-d", "results", check=0).stdout.splitlines()
    assert len(fetched) == 4
    results = farm.project / "results/made"
    logs = sorted(results.glob("*.log"))
    assert all(log.read_text().startswith("-r--r--r--") for log in logs)
    made = sorted(str(path.relative_to(results)).split("/", 1)[1] for path in results.rglob("made.txt"))
    assert made == ["deep/er/made.txt", "deep/er/made.txt", "made.txt", "made.txt"]
    assert farm.outspread("fetch", "-d", "results", check=0).stdout == ""
    assert not list(results.glob(".*"))


def test_an_attempt_is_reproduced_here(farm: Farm) -> None:
    (farm.project / "data").write_text("the data\n")
    script = 'cat data; echo "$WHAT"; exit 7'
    submitted = farm.outspread("submit", "-i", ".", "-e", "WHAT=it's", "--", "sh", "-c", script, check=FAILED)
    attempt = f"{run_id(submitted.stdout)}.0.1"
    told = farm.outspread("reproduce", attempt, check=0).stdout
    assert str(farm.project / "00000.1.sh_-c_cat_data_echo_WHAT_exit_7/run") in told
    assert farm.outspread("reproduce", attempt, check=1).stderr.startswith("error: cannot reproduce into")
    ran = farm.outspread("reproduce", attempt, "-d", "elsewhere", "--run", check=7)
    assert ran.stdout == "the data\nit's\n"
    assert (farm.project / "elsewhere/tree/data").read_text() == "the data\n"


def test_lines_and_documents_and_json(farm: Farm) -> None:
    ended = farm.outspread("submit", "--json", "-", stdin="echo a | cat\n# no\nexit 1\n", check=FAILED)
    submitted, *attempts, summary = [json.loads(line) for line in ended.stdout.splitlines()]
    assert (submitted["event"], submitted["state"]) == ("run-submitted", "running")
    assert sorted((attempt["event"], attempt["job"], attempt["outcome"]) for attempt in attempts) == [
        ("attempt-ended", "echo a | cat", "passed"),
        ("attempt-ended", "exit 1", "failed"),
    ]
    assert (summary["event"], summary["counts"]["passed"], summary["counts"]["failed"]) == ("run-ended", 1, 1)
    (farm.project / "in").mkdir()
    (farm.project / "in/f").write_text("1")
    jobs = [{"name": "one", "command": ["cat", "f"], "inputs": "in"}, {"name": "two", "command": ["true"]}]
    (farm.project / "jobs.json").write_text(json.dumps({"name": "doc", "jobs": jobs}))
    farm.outspread("submit", "-f", "jobs.json", "--run-id", "same", check=PASSED)
    farm.outspread("submit", "-f", "jobs.json", "--run-id", "same", check=PASSED)
    (farm.project / "in/f").write_text("2")
    assert "other content" in farm.outspread("submit", "-f", "jobs.json", "--run-id", "same", check=1).stderr


def test_a_job_that_nobody_can_take_says_why_and_can_be_cancelled(farm: Farm) -> None:
    submitted = farm.outspread("submit", "--no-wait", "--require", "moon=full", "--", "true", check=0)
    assert "no worker has moon=full" in farm.outspread("why", "true", check=0).stdout
    farm.outspread("cancel", "--reason", "new moon", check=0)
    watched = farm.outspread("watch", run_id(submitted.stdout), check=FAILED)
    assert "cancelled (new moon)" in watched.stdout


def test_flaky_jobs_are_found(farm: Farm, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    script = f"test -e {mark} || {{ touch {mark}; exit 1; }}"
    submitted = farm.outspread("submit", "--retries", "1", "--project", "p", "--", "sh", "-c", script, check=PASSED)
    assert "1 of them flaky" in submitted.stdout
    assert "(1 retries)" in submitted.stdout or "1 passed" in submitted.stdout
    (_, row) = farm.outspread("flaky", "--project", "p", check=0).stdout.splitlines()
    assert row.split()[:3] == ["1", "1", "p"]
    (key,) = [flaky["key"] for flaky in json.loads(farm.outspread("flaky", "--project", "p", "--json", check=0).stdout)]
    history = farm.outspread("history", "--controller", farm.url, "--job", key, "--project", "p", check=0).stdout
    assert [line.split()[3] for line in history.splitlines()[1:]] == ["passed", "failed"]


def test_workers_are_listed_and_held(farm: Farm) -> None:
    (worker,) = json.loads(farm.outspread("workers", "--json", check=0).stdout)
    name = worker["name"]
    assert worker["dimensions"]["os"] == "linux"
    held = farm.outspread("workers", "--hold", name, "--reason", "repair", "--for", "1m", check=0)
    assert f"{name} is on hold until" in held.stdout
    assert "repair" in held.stdout
    assert "on hold" not in farm.outspread("workers", "--release", name, check=0).stdout


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["submit"], 2, "give a command"),
        (["submit", "--each", "*.nothing", "--", "x", "{}"], 1, "cannot make a job of each file"),
        (["submit", "-e", "1", "--", "x"], 2, "NAME=VALUE"),
        (["submit", "-f", "jobs.json"], 1, r"$.jobs[0]"),
        (["submit", "--retries", "1000", "--", "x"], 2, "1000"),
        (["submit", "--controller", "http://127.0.0.1:1", "--", "x"], 1, "http://127.0.0.1:1"),
        (["logs", "nothing"], 1, "none was submitted"),
        (["status", "no-such-run"], 1, "no such run"),
        (["reproduce", "no-such-run.0.1"], 1, "no such run"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(farm: Farm, arguments: list[str], code: int, message: str) -> None:
    (farm.project / "jobs.json").write_text('{"jobs": [{"name": "a"}]}')
    ended = farm.outspread(*arguments, check=code)
    assert message in ended.stderr
    assert "Traceback" not in ended.stderr


def test_ctrl_c_leaves_the_run_alone(farm: Farm) -> None:
    with farm.begin("submit", "--", "sleep", "300") as watching:
        assert watching.stdout is not None
        run = watching.stdout.readline().split()[1].rstrip(":")
        watching.send_signal(signal.SIGINT)
        _, errors = watching.communicate(timeout=60)
    assert watching.returncode == 130
    assert f"the run goes on: outspread watch {run} shows it" in errors
    assert json.loads(farm.outspread("status", "--json", check=0).stdout)["run"]["state"] == "running"
    farm.outspread("cancel", check=0)
    assert f"run {run} cancelled (by " in farm.outspread("watch", run, check=FAILED).stdout


def test_a_log_is_followed_while_it_is_printed(farm: Farm) -> None:
    script = 'echo one; until [ -e "$MARK" ]; do sleep 0.05; done; echo two'
    mark = farm.project / "mark"
    farm.outspread("submit", "--no-wait", "-e", f"MARK={mark}", "--", "sh", "-c", script, check=0)
    with farm.begin("logs", "-f", "sh") as following:
        assert following.stdout is not None
        assert following.stdout.readline() == "one\n"
        mark.touch()
        assert following.communicate(timeout=60)[0] == "two\n"
    assert following.returncode == 0
    farm.outspread("watch", check=PASSED)


def test_what_runs_again_is_what_was_uploaded(farm: Farm) -> None:
    (farm.project / "verdict").write_text("false")
    farm.outspread("submit", "-i", ".", "--", "sh", "verdict", check=FAILED)
    (farm.project / "verdict").write_text("true")
    farm.outspread("rerun", "--failed", check=FAILED)
