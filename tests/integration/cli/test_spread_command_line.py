"""Spread's flags, and those of spread-plus: what each does with the real program, over SSH where a machine is involved.

The rules are in specs/spread.md, sections 6 and 20. A row that differs on purpose says how. How flags are read letter by letter
is in the unit tests; machines that are kept and given back are in ``test_reuse``, shells in ``test_session_over_ssh``.
"""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

STAMP = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d ", re.MULTILINE)


class Case(NamedTuple):
    """A command line and what must come of it; patterns are looked for in all of the text."""

    line: str
    code: int
    out: str = ""
    err: str = ""


@pytest.fixture(scope="module")
def lab(shared_lab: Any) -> Any:
    shared_lab.write()
    task = shared_lab.project.task
    task("good", "prepare: echo PREPARED\nexecute: echo hello > out.txt\nrestore: echo RESTORED\nartifacts: [out.txt]")
    task("bad", "execute: echo one; false\ndebug: echo LOOKING\nrestore: echo RESTORED")
    task("other", "execute: 'true'\nmanual: true")
    shared_lab.project.file("empty/spread.yaml", shared_lab.project.root.joinpath("spread.yaml").read_text())
    shared_lab.project.file("empty/tests/notes.txt", "no task")
    return shared_lab


def job(name: str) -> str:
    return f"lab:debian-12:tests/{name}"


LISTED = f"{job('bad')}\n{job('good')}\n"

#: What needs no machine.
CASES = [
    Case("-list", 0, LISTED),
    Case("--list", 0, LISTED),
    Case("-list=true", 0, LISTED),
    Case("-list -discard", 0, LISTED),  # it wins over the rest
    Case("-list -gc", 0, LISTED),
    Case("-list -vv", 0, LISTED),
    Case("-list tests/good", 0, f"{job('good')}\n"),
    Case("-list tests/good /bad", 0, LISTED),  # either
    Case("-list tests/other", 0, f"{job('other')}\n"),  # manual, and named
    Case("-list tests/", 0, LISTED),  # not manual ones, if there are others
    Case("-list -- tests/good", 0, f"{job('good')}\n"),
    Case("-list /(good|bad)", 0, LISTED),
    Case("-list good", 1, err="error: nothing matches provider filter\n"),
    Case("-list (", 1, err=r'error: invalid filter string: "\("\n'),
    Case("-list tests/good#2", 1, err="error: nothing matches provider filter\n"),
    Case("-list tests/good#0", 1, err="error: .*#0.*\n"),
    Case("-h", 0, err=r"Usage of spread:\n  -abend\n(?s:.*)"),  # on standard error, as Go programs do
    Case("--help", 0, err=r"Usage of spread:\n(?s:.*)"),
    Case("-no-such", 2, err=r"flag provided but not defined: -no-such\nUsage of spread:\n(?s:.*)"),
    Case("-list=maybe", 2, err=r'invalid boolean value "maybe" for -list: parse error\nUsage(?s:.*)'),
    Case("-seed x", 2, err=r'invalid value "x" for flag -seed: parse error\nUsage(?s:.*)'),
    Case("-repeat", 2, err=r"flag needs an argument: -repeat\nUsage(?s:.*)"),
    Case("---list", 2, err=r"bad flag syntax: ---list\nUsage(?s:.*)"),
    Case("-version", 0, r"spread \d\S*\n"),
    Case("-gc", 0),  # nothing to collect
    Case("-discard", 0),  # nothing is kept
    Case("-reuse-pid 99999999 -discard", 0),
    # At most one of them; the text is ours and names those that were given.
    *(
        Case(f"{first} {second}", 1, err=f"error: cannot use {first} and {second} together\n")
        for first, second in [
            ("-debug", "-shell"),
            ("-debug", "-shell-before"),
            ("-debug", "-abend"),
            ("-debug", "-restore"),
            ("-shell", "-shell-after"),
            ("-shell", "-abend"),
            ("-shell-before", "-restore"),
            ("-shell-after", "-abend"),
            ("-abend", "-restore"),
        ]
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.line)
def test_what_needs_no_machine(lab: Any, case: Case) -> None:
    ended = lab.project.run("spread", *case.line.split())
    assert ended.code == case.code, ended
    assert re.fullmatch(case.out, ended.out), ended.out
    assert re.fullmatch(case.err, ended.err), ended.err


def test_a_project_without_tasks(lab: Any) -> None:
    ended = lab.project.run("/usr/bin/env", "-C", "empty", "spread", "-list")
    assert (ended.code, ended.err) == (1, "error: cannot find any tasks\n")


@pytest.mark.parametrize("arguments", [("-flavour", "spread-plus"), ()])
def test_the_flavour_by_flag_or_variable(lab: Any, arguments: tuple[str, ...]) -> None:
    """spread-plus runs no more jobs than ``tasks-limit``, and lists them all the same; Spread does not know the field."""
    text = (lab.project.root / "spread.yaml").read_text()
    lab.project.file("spread.yaml", f"tasks-limit: 1\n{text}")
    env = {} if arguments else {"OUTSPREAD_FLAVOUR": "spread-plus"}
    try:
        assert lab.project.run("spread", *arguments, "-list", env=env).out == LISTED
        ended = lab.project.run("spread", *arguments, "tests/", env=env)
        assert ended.code == 1
        assert ended.err.startswith("error: cannot run 2 jobs: tasks-limit of the project is 1")
        assert ended.out == ""
    finally:
        lab.project.file("spread.yaml", text)


# --- what does need one -----------------------------------------------------------------------------------------------


@pytest.fixture
def spread(lab: Any) -> Callable[..., Any]:
    """Run the program, without times in what it printed, and see that it leaves nothing."""

    def run(*arguments: str) -> Any:
        ended = lab.project.run("spread", *arguments)
        assert lab.taken() == []
        assert set(lab.notes()) <= {".spread-reuse.yaml"}  # which stays when nothing is kept any more
        return ended._replace(out=STAMP.sub("", ended.out))

    return run


def test_flags_behind_a_filter_are_filters(spread: Callable[..., Any]) -> None:
    """The run starts for real, as with Spread; that a flag was meant is only said."""
    ended = spread("tests/good", "-list")
    assert ended.code == 0
    assert "Successful tasks: 1" in ended.out
    assert ended.err == "warning: -list stands behind a filter and is taken for one: flags go first\n"


def test_seed_and_order(spread: Callable[..., Any]) -> None:
    """A seed that was given is not announced; ``-order`` goes without a filter, which crashes spread-plus."""
    ended = spread("-seed", "5", "-order")
    assert "Sequence of jobs" not in ended.out
    assert re.findall(r"Executing \S+tests/(\w+)", ended.out) == ["bad", "good"]


def test_repeat_runs_so_many_times_more(spread: Callable[..., Any], tmp_path: Path) -> None:
    """Artifacts are those of the last pass."""
    ended = spread("-repeat=2", "-artifacts", str(tmp_path / "got"), "tests/good")
    assert ended.code == 0
    assert (ended.out.count("Executing"), ended.out.count("Restoring"), ended.out.count("Fetching")) == (3, 3, 1)
    assert "Successful tasks: 3\n" in ended.out
    assert (tmp_path / f"got/{job('good')}/out.txt").read_text() == "hello\n"


def test_restore_runs_nothing_else(spread: Callable[..., Any]) -> None:
    ended = spread("-restore")
    assert ended.code == 0
    assert "Preparing" not in ended.out
    assert "Executing" not in ended.out
    assert ended.out.count("Restoring") == 2
    assert "Successful tasks: 0\nAborted tasks: 0\n" in ended.out


def test_abend_restores_nothing(spread: Callable[..., Any]) -> None:
    """The machine is given back without ``-reuse``, as with Spread; unlike there, that is said."""
    ended = spread("-abend", "-order")
    assert ended.code == 1
    assert "Restoring" not in ended.out
    assert "Executing lab:debian-12:tests/good" not in ended.out
    assert "Aborted tasks: 1\n" in ended.out
    assert "Discarding lab:debian-12..." in ended.out
    assert "warning: machines are given back at the end all the same" in ended.err


def test_verbosity(spread: Callable[..., Any]) -> None:
    """``-vv`` shows the output of what passed; unlike with Spread not scripts and environments, which may hold secrets."""
    quiet, verbose, very = (spread(*flags, "tests/good").out for flags in ((), ("-v",), ("-vv",)))
    assert "Found /" not in quiet
    assert "Found /" in verbose
    assert "+ echo PREPARED" not in verbose
    assert f"Output of preparing {job('good')} (lab:debian-12) : \n-----\n+ echo PREPARED\nPREPARED\n-----\n.\n" in very


def test_pass_is_the_password_where_the_system_has_none(lab: Any, spread: Callable[..., Any]) -> None:
    host = lab.hosts[0]
    lab.write(password='""')
    try:
        assert spread("-pass", host.password, "tests/good").code == 0
        ended = spread("tests/good")  # a random one, which the host does not know
        assert ended.code == 1
        assert "cannot log in as root@" in ended.out
    finally:
        lab.write()


@pytest.mark.parametrize(
    ("flag", "task", "text"),
    [
        ("-debug", "bad", "Starting shell to debug...\n"),
        ("-shell", "good", f"Starting shell instead of executing {job('good')}...\n"),
        # Spread says "instead of" here, too, and does not mean it
        ("-shell-before", "good", f"Starting shell before executing {job('good')}...\n"),
        ("-shell-after", "good", f"Starting shell after executing {job('good')}...\n"),
    ],
)
def test_shells_need_a_terminal_and_the_run_goes_on_without(spread: Callable[..., Any], flag: str, task: str, text: str) -> None:
    ended = spread(flag, f"tests/{task}")
    assert re.search(re.escape(text) + r"Error running debug shell: .+\nContinuing\.\.\.\n", ended.out)
    assert ended.code == (1 if task == "bad" else 0)
    assert f"Restoring {job(task)} " in ended.out


def test_flags_of_spread_plus(spread: Callable[..., Any], tmp_path: Path) -> None:
    """``-perf`` lets no failure pass and ``-live`` leaves no debug script out, as they do there."""
    report, logs = tmp_path / "report.json", tmp_path / "logs"
    ended = spread("-live", "-perf", "-workers", "1", "-json", str(report), "-logs", str(logs), "-no-debug-output", "-order")
    assert ended.code == 1
    assert re.search(r"^\d\d:\d\d:\d\d\.\d{3} \+ echo one$", ended.out, re.MULTILINE)
    assert "LOOKING" not in ended.out.partition("Debug output")[2]
    assert [path.name for path in sorted(logs.rglob("*.log"))]
    assert any("LOOKING" in path.read_text() for path in logs.rglob("*.debug.log"))
    results = json.loads(report.read_text())["results"]
    assert (results["task-passed"], results["task-failed"], results["task-aborted"]) == (1, 1, 0)
