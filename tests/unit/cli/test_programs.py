"""The two programs from outside: what they print where, and how they end."""

import importlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from outspread.project.errors import ProjectError

SPREAD_YAML = """\
project: demo
path: /home/demo
oddity: 1
backends:
    lxd:
        systems: [ubuntu-24.04]
suites:
    tests/:
        summary: All
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name in ("one", "two"):
        (tmp_path / "tests" / name).mkdir(parents=True)
        (tmp_path / "tests" / name / "task.yaml").write_text(f"summary: {name}\nexecute: 'true'\n")
    (tmp_path / "spread.yaml").write_text(SPREAD_YAML)
    return tmp_path


class Ended(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


Call = Callable[..., Ended]


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path_factory: pytest.TempPathFactory) -> Call:
    """Call a program by its module with arguments, in a directory, with more variables."""
    monkeypatch.setenv("OUTSPREAD_STATE", str(tmp_path_factory.getbasetemp() / "state"))

    def call(module: str, *arguments: str, cwd: Path, **environment: str) -> Ended:
        program = importlib.import_module(f"outspread.cli.{module}").main
        with monkeypatch.context() as patch:
            patch.setattr(sys, "argv", [module, *arguments])
            patch.chdir(cwd)
            for name, value in environment.items():
                patch.setenv(name, value)
            with pytest.raises(SystemExit) as caught:
                program()
        code = caught.value.code
        assert isinstance(code, int)
        return Ended(code, *capsys.readouterr())

    return call


NAMES = "lxd:ubuntu-24.04:tests/one\nlxd:ubuntu-24.04:tests/two\n"


def test_outspread_list(called: Call, project: Path) -> None:
    ended = called("main", "list", cwd=project)
    assert (ended.returncode, ended.stdout) == (0, NAMES)
    assert ended.stderr.startswith("warning: ")
    assert "oddity" in ended.stderr


def test_outspread_takes_options_anywhere(called: Call, project: Path) -> None:
    ended = called("main", "list", "tests/one", "--json", "-C", str(project / "tests"), cwd=project.parent)
    assert [job["name"] for job in json.loads(ended.stdout)] == ["lxd:ubuntu-24.04:tests/one"]


def test_strict_makes_an_error_of_a_warning(called: Call, project: Path) -> None:
    ended = called("main", "list", "--strict", cwd=project)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith(f"error: {project / 'spread.yaml'}:3: ")


def test_the_sandbox_takes_the_place_of_all_backends(called: Call, project: Path) -> None:
    ended = called("main", "list", "--sandbox", cwd=project)
    assert [line.split(":")[0] for line in ended.stdout.splitlines()] == ["sandbox", "sandbox"]


def test_spread_list_prints_names_and_nothing_else(called: Call, project: Path) -> None:
    ended = called("spread_main", "-list", cwd=project)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, NAMES, "")


def test_spread_list_wins_over_what_is_not_offered(called: Call, project: Path) -> None:
    assert called("spread_main", "-list", "-discard", "-gc", "/one", cwd=project).stdout == "lxd:ubuntu-24.04:tests/one\n"


def test_spread_warns_when_asked_to_say_more(called: Call, project: Path) -> None:
    ended = called("spread_main", "-list", "-v", cwd=project)
    assert ended.stdout == NAMES
    assert "oddity" in ended.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["-nope"], 2, "flag provided but not defined: -nope\nUsage of spread:\n"),
        (["-h"], 0, "Usage of spread:\n"),
        (["-list", "nothing-like-it"], 1, "error: nothing matches provider filter\n"),
        (["-abend", "-restore"], 1, "error: cannot use -abend and -restore together\n"),
        (["-list", "-flavour", "odd"], 2, "error: cannot follow the rules of odd: there are spread and spread-plus\n"),
        (["nothing", "-list"], 1, "warning: -list stands behind a filter and is taken for one: flags go first\nerror: "),
    ],
)
def test_how_spread_ends(called: Call, arguments: list[str], code: int, says: str, project: Path) -> None:
    ended = called("spread_main", *arguments, cwd=project)
    assert (ended.returncode, ended.stdout) == (code, "")
    assert ended.stderr.startswith(says)


def test_spread_takes_its_flavour_from_the_environment(called: Call, project: Path) -> None:
    ended = called("spread_main", "-list", cwd=project, OUTSPREAD_FLAVOUR="odd")
    assert ended.returncode == 2


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["list", "nothing-like-it"], 1, "error: nothing matches provider filter\n"),
        (["nope"], 2, "Usage: outspread "),
        (["list", "--nope"], 2, "Usage: outspread list "),
        (["history", "--log", "x"], 2, "Usage: outspread history "),
        (["list", "-C", "/nonexistent"], 2, "Usage: outspread list "),
    ],
)
def test_how_outspread_ends(called: Call, arguments: list[str], code: int, says: str, project: Path) -> None:
    ended = called("main", *arguments, cwd=project)
    assert (ended.returncode, ended.stdout) == (code, "")
    assert says in ended.stderr


def test_where_there_is_no_project(called: Call, tmp_path: Path) -> None:
    ended = called("main", "list", cwd=tmp_path)
    assert ended.returncode == 1
    assert ended.stderr.startswith("error: cannot load project file")
    assert "hint: " in ended.stderr


def test_debug_shows_where(called: Call, project: Path) -> None:
    with pytest.raises(ProjectError):
        called("main", "--debug", "list", "nothing-like-it", cwd=project)
    with pytest.raises(ProjectError):
        called("spread_main", "-list", "nothing", cwd=project, OUTSPREAD_DEBUG="1")


def test_a_reader_that_has_seen_enough_is_no_error(project: Path) -> None:
    command = f"{sys.executable} -c 'from outspread.cli.spread_main import main; main()' -list | true; echo ${{PIPESTATUS[0]}}"
    ended = subprocess.run(["bash", "-c", command], cwd=project, capture_output=True, text=True)
    assert ended.stderr == ""
    assert ended.stdout in ("0\n", "141\n")  # what there was to write may have found room in the pipe


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_for_each_shell(called: Call, shell: str, tmp_path: Path) -> None:
    ended = called("main", "completion", shell, cwd=tmp_path)
    assert ended.returncode == 0
    assert "_OUTSPREAD_COMPLETE" in ended.stdout


def test_parts_of_names_complete(called: Call, project: Path) -> None:
    def offered(word: str) -> list[str]:
        variables = {"_OUTSPREAD_COMPLETE": "bash_complete", "COMP_WORDS": f"outspread list {word}", "COMP_CWORD": "2"}
        return [line.partition(",")[2] for line in called("main", cwd=project, **variables).stdout.splitlines()]

    assert offered("t") == ["tests/"]
    assert offered("tests/") == ["tests/", "tests/one", "tests/two"]
    assert offered("u") == ["ubuntu-24.04"]


def test_history_of_a_project_without_runs(called: Call, project: Path) -> None:
    ended = called("main", "history", cwd=project)
    assert (ended.returncode, ended.stdout) == (0, "")
    assert "no runs of this project yet" in ended.stderr
