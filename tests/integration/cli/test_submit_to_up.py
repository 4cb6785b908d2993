"""``outspread up`` in one process, ``outspread submit`` and the rest in others: as people use them."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

_WITHIN_S = 60
_PROGRAM = (sys.executable, "-c", "from outspread.cli.entry import outspread; outspread()")

Outspread = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of somebody for whom a controller with two slots runs."""
    home = tmp_path_factory.mktemp("home")
    told = {"HOME": str(home), "OUTSPREAD_STATE": str(home / "state"), "XDG_CACHE_HOME": str(home / "cache")}
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OUTSPREAD_")} | told
    command = [*_PROGRAM, "up", "--listen", "127.0.0.1:0", "--slots", "2"]
    with (
        (home / "up.err").open("wb") as errors,
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=errors, text=True, cwd=home) as up,
    ):
        assert up.stdout is not None
        begun = up.stdout.readline()
        assert begun.startswith("controller at http://"), (home / "up.err").read_text()
        yield {**environment, "OUTSPREAD_CONTROLLER": begun.split()[2].rstrip(",")}
        up.send_signal(signal.SIGTERM)
        assert up.wait(_WITHIN_S) == 0, (home / "up.err").read_text()


@pytest.fixture
def outspread(environment: dict[str, str], tmp_path: Path) -> Outspread:
    def call(*arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [*_PROGRAM, *arguments], env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=_WITHIN_S
        )

    return call


def test_a_suite_one_job_a_file(outspread: Outspread, tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    for name, verdict in (("good", "True"), ("bad", "False")):
        (tmp_path / f"tests/test_{name}.py").write_text(f"def test_{name}():\n    assert {verdict}, 'caf\\xe9'\n")
    pytest_words = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--junit-xml=out/report.xml", "{}")
    ended = outspread("submit", "--each", "tests/test_*.py", "-o", "out/**", "--junit", "report.xml", "--", *pytest_words)
    assert ended.returncode == 88, ended.stderr
    assert "FAILED     tests/test_bad.py  " in ended.stdout
    assert "1 passed, 1 failed" in ended.stdout
    assert "café" in (tmp_path / "report.xml").read_text("utf-8")

    assert outspread("fetch", "--failed", "-d", "results").stdout.splitlines() == [
        "results/00000.1.tests_test_bad.py.log",
        "results/00000.1.tests_test_bad.py",
    ]
    assert "test_bad" in (tmp_path / "results/00000.1.tests_test_bad.py/out/report.xml").read_text()
    again = outspread("reproduce", "tests/test_bad.py", "-d", "again", "--run")
    assert again.returncode == 1
    assert "assert False" in again.stdout
    assert (tmp_path / "again/tree/out/report.xml").exists()

    (tmp_path / "tests/test_bad.py").write_text("")  # what runs again is what was uploaded
    assert outspread("rerun", "--failed").returncode == 88
    assert "test_bad.py is done: failed" in outspread("why", "test_bad").stdout


def test_ctrl_c_leaves_the_run_alone(outspread: Outspread, environment: dict[str, str], tmp_path: Path) -> None:
    command = [*_PROGRAM, "submit", "--", "sleep", "300"]
    with subprocess.Popen(
        command, env=environment, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as watching:
        assert watching.stdout is not None
        run_id = watching.stdout.readline().split()[1].rstrip(":")
        watching.send_signal(signal.SIGINT)
        _, errors = watching.communicate(timeout=_WITHIN_S)
    assert watching.returncode == 130
    assert f"the run goes on: outspread watch {run_id} shows it" in errors
    assert json.loads(outspread("status", "--json").stdout)["run"]["state"] == "running"
    assert outspread("cancel").returncode == 0
    ended = outspread("watch", run_id)
    assert (ended.returncode, f"run {run_id} cancelled (by " in ended.stdout) == (88, True)


def test_a_log_is_followed_while_it_is_printed(outspread: Outspread, environment: dict[str, str], tmp_path: Path) -> None:
    go_on = tmp_path / "go-on"
    script = f"echo one; until [ -e {shlex.quote(str(go_on))} ]; do sleep 0.05; done; echo two"
    assert outspread("submit", "--no-wait", "--", "sh", "-c", script).returncode == 0
    command = [*_PROGRAM, "logs", "-f", "sh"]
    with subprocess.Popen(command, env=environment, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as following:
        assert following.stdout is not None
        assert following.stdout.readline() == "one\n"
        go_on.touch()
        assert following.communicate(timeout=_WITHIN_S)[0] == "two\n"
    assert following.returncode == 0
    assert outspread("watch").returncode == 0


def test_what_runs_goes_on_while_nobody_watches(outspread: Outspread, tmp_path: Path) -> None:
    assert outspread("submit", "--no-wait", "--run-id", "unwatched", "--repeat", "20", "--", "true").returncode == 0
    deadline = time.monotonic() + _WITHIN_S
    while json.loads(outspread("status", "unwatched", "--json").stdout)["run"]["state"] == "running":
        assert time.monotonic() < deadline
    assert "20 passed" in outspread("watch", "unwatched").stdout
