"""Shells on machines, as a person at a terminal has them: through a real pseudo-terminal."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Start = Callable[..., Any]


def events_of(project: Any) -> dict[str, str]:
    """Return how the attempts of the latest run ended."""
    (run,) = json.loads(project.run("outspread", "history", "--json").out)
    detail = json.loads(project.run("outspread", "history", run["run_id"], "--json").out)
    return {attempt["job"].rpartition("/")[2]: attempt["outcome"] for attempt in detail["attempts"]}


def test_debug_opens_a_shell_where_the_failure_is(project: Any, on_terminal: Start) -> None:
    project.task(
        "bad",
        """\
environment: {COLOUR: "dark $SPREAD_TASK", WEIGHT/a: 3}
execute: |
    echo evidence > left
    false
restore: test ! -e tidied || ERROR "restored too early"
""",
    )
    person = on_terminal("outspread", "run", "--debug")
    before = person.sees("sandbox:this-host .../bad# ")
    assert "FAILED sandbox:this-host:tests/bad:a: execute failed: exit code 1" in before
    assert "| + false" in before
    person.types("cat left; echo $COLOUR,$WEIGHT,$SPREAD_JOB; pwd; stty size\r")
    person.sees("evidence\r\ndark tests/bad,3,sandbox:this-host:tests/bad:a\r\n/srv/made/tests/bad\r\n30 100\r\n")
    person.types("echo abc | MATCH x; echo abc | NOMATCH x && echo miss'ed'\r")
    person.sees("grep error: pattern not found")
    person.sees("missed\r\n")
    person.types("exit\r")
    assert person.ends() == 1
    assert "1 job: 1 failed" in person.text
    assert "restored too early" not in person.text


def test_the_window_may_change(project: Any, on_terminal: Start) -> None:
    project.task("bad", "execute: 'false'\n")
    person = on_terminal("spread", "-debug")
    person.prompted()
    person.resize(11, 77)
    person.types("until [ \"$(stty size)\" = '11 77' ]; do sleep 0.02; done; echo resi'zed'\r")
    person.sees("resized\r\n")
    person.types("exit\r")
    assert person.ends() == 1


def test_ctrl_c_belongs_to_the_shell(project: Any, on_terminal: Start) -> None:
    project.task("bad", "execute: 'false'\n")
    person = on_terminal("outspread", "run", "--debug")
    person.prompted()
    person.types("sh -c 'echo begin\"\"s; exec sleep 1000'\r")
    person.sees("begins\r\n")
    person.types("\x03")
    person.prompted()
    person.types("echo status $?\r")
    person.sees("status 130\r\n")
    person.types("exit\r")
    assert person.ends() == 1
    assert "interrupted" not in person.text


def test_the_exit_status_is_only_logged(project: Any, on_terminal: Start) -> None:
    project.task("good", "execute: 'true'\n")
    person = on_terminal("spread", "-shell-after")
    person.prompted()
    person.types("exit 7\r")
    assert person.ends() == 0
    log = person.text
    assert "Starting shell after executing sandbox:this-host:tests/good..." in log
    assert "Error running debug shell: exit code 7\n" in log
    assert "Continuing...\n" in log
    assert "Successful tasks: 1" in log


def test_every_failing_script_has_its_shell_before_what_comes_next(project: Any, on_terminal: Start) -> None:
    project.file(
        "spread.yaml",
        (project.root / "spread.yaml").read_text()
        + "        prepare: touch /srv/prepared\n        restore: test ! -e /srv/prepared\nrestore: test -e /srv/kept\n",
    )
    project.task("bad", "prepare: test -e /srv/nothing\nrestore: touch /srv/restored\n")
    person = on_terminal("spread", "-debug")
    person.sees("Error preparing sandbox:this-host:tests/bad")
    person.sees("sandbox:this-host .../bad# ")
    person.types("ls -1 /srv; exit\r")
    person.sees("made\r\nprepared\r\nexit\r\n")  # nothing is restored yet
    person.sees("Restoring sandbox:this-host:tests/bad ")
    person.sees("Error restoring sandbox:this-host:tests/ ")
    person.sees("sandbox:this-host .../bad# ")
    person.types("ls -1 /srv; exit\r")
    person.sees("made\r\nprepared\r\nrestored\r\nexit\r\n")
    person.sees("Error restoring sandbox:this-host ")
    person.sees("sandbox:this-host .../made# ")
    person.types("exit\r")
    assert person.ends() == 1
    assert person.text.count("Starting shell to debug...") == 3


def test_shell_instead_of_the_script(project: Any, on_terminal: Start) -> None:
    project.task("one", "prepare: touch prepared\nexecute: touch /srv/executed\n")
    project.task("silent", "prepare: 'true'\n")
    person = on_terminal("spread", "-shell")
    person.sees("Executing sandbox:this-host:tests/one")
    person.sees("Starting shell instead of executing sandbox:this-host:tests/one...")
    person.prompted()
    person.types("ls -1 prepared /srv; exit 1\r")
    person.sees("prepared\r\n\r\n/srv:\r\nmade\r\n")
    assert person.ends() == 0
    assert person.text.count("Starting shell") == 1  # nothing to stand in for where there is no execute
    assert "Successful tasks: 2" in person.text


def test_shells_before_and_after_go_together(project: Any, on_terminal: Start) -> None:
    project.task("one", "execute: |\n    test -e made-by-hand\n    touch made-by-test\n    false\n")
    person = on_terminal("outspread", "run", "--shell-before", "--shell-after")
    person.sees("shell before executing")
    person.prompted()
    person.types("touch made-by-hand; exit\r")
    person.sees("shell after executing")
    person.prompted()
    person.types("ls -1; exit\r")
    person.sees("made-by-hand\r\nmade-by-test\r\ntask.yaml\r\n")
    assert person.ends() == 1
    assert events_of(project) == {"one": "failed"}


def test_one_shell_at_a_time_and_what_others_do_is_shown_afterwards(
    project: Any, on_terminal: Start, with_workers: Callable[[int], None]
) -> None:
    with_workers(3)
    for name in ("a", "b"):
        project.task(name, "execute: 'false'\n")
    project.task("c", "execute: sleep 0.3\n")
    person = on_terminal("spread", "-debug")
    for _ in range(2):
        person.sees("Starting shell to debug...\r\n")
        person.prompted()
        person.types("echo pid'=' $$; read -r -t 1; echo do'ne'; exit\r")
        while_open = person.sees("done\r\n")
        assert "Starting" not in while_open
        assert "tests/c" not in while_open
        assert "Discarding" not in while_open
        person.sees("Continuing...\r\n")
    assert person.ends() == 1
    assert person.text.count("pid= ") == 2
    assert "Executing sandbox:this-host:tests/c" in person.text
    assert "Failed tasks: 2" in person.text


def test_a_live_display_makes_room_and_comes_back(project: Any, on_terminal: Start) -> None:
    project.task("bad", "execute: 'false'\n")
    project.task("late", "priority: -1\nexecute: sleep 0.5\n")
    person = on_terminal("outspread", "run", "--debug", term="xterm")
    before = person.sees("sandbox:this-host .../bad# ")
    assert before.rindex("\x1b[?25h") > before.rindex("\x1b[?25l")  # the cursor is shown
    person.types("read -r -t 1; echo do'ne'; exit\r")
    while_open = person.sees("done\r\n")
    assert "\x1b[?25l" not in while_open
    assert "passed" not in while_open  # nothing is drawn over the shell
    person.sees("\x1b[?25l")
    assert person.ends() == 1
    assert person.all.count(b"\x1b[?25l") == 2
    assert "2 jobs: 1 passed, 1 failed" in person.text


@pytest.mark.parametrize("arguments", [("outspread", "run", "--shell"), ("spread", "-shell")])
def test_without_a_terminal_the_run_goes_on(project: Any, arguments: tuple[str, ...]) -> None:
    project.task("one", "execute: 'false'\n")
    ended = project.run(*arguments)
    assert ended.code == 0, ended.out + ended.err
    assert "cannot open a shell: standard input is no terminal" in ended.out


def test_output_that_goes_through_a_pipe_is_held_back_too(
    project: Any, on_terminal: Start, with_workers: Callable[[int], None]
) -> None:
    with_workers(2)
    project.task("bad", "execute: 'false'\n")
    project.task("late", "execute: sleep 0.3\n")
    person = on_terminal("/bin/sh", "-c", f"'{Path(sys.executable).parent}/spread' -debug | cat")
    person.sees("Starting shell to debug...")  # by cat, perhaps when the terminal is raw already
    person.types("read -r -t 1; echo do'ne'; exit\r")
    assert "Discarding" not in person.sees("done\r\n")
    person.sees("Continuing...")
    assert person.ends() == 0  # cat's
    assert "Failed tasks: 1" in person.text


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_the_run_with_its_shell(project: Any, on_terminal: Start, number: int) -> None:
    project.task("bad", "execute: 'false'\nrestore: touch /srv/never\n")
    person = on_terminal("outspread", "run", "--debug")
    person.prompted()
    person.types("sleep 98765\r")
    person.process.send_signal(number)
    assert person.ends(within_s=15) == 130
    assert "interrupted: ending what runs" in person.text
    assert events_of(project) == {"bad": "failed"}


def test_a_second_signal_leaves_the_terminal_as_it_was(project: Any, on_terminal: Start) -> None:
    project.task("bad", "execute: 'false'\n")
    person = on_terminal("outspread", "run", "--debug")
    person.prompted()
    person.process.send_signal(signal.SIGTERM)
    person.process.send_signal(signal.SIGTERM)
    assert person.ends(within_s=10) in (130, 128 + signal.SIGTERM)


def test_a_terminal_that_vanishes_ends_the_run_and_leaves_nothing(project: Any, on_terminal: Start) -> None:
    mark = f"6{time.time_ns() % 10**9}"
    project.task("bad", "execute: 'false'\n")
    person = on_terminal("outspread", "run", "--debug")
    person.prompted()
    person.types(f"echo sleep'ing'; sleep {mark}\r")
    person.sees("sleeping\r\n")
    person.vanishes()
    assert person.process.wait(20) != 0
    assert not subprocess.run(["pgrep", "-f", f"sleep {mark}"], capture_output=True, text=True).stdout
    assert events_of(project) == {"bad": "failed"}


def test_a_machine_that_dies_under_a_shell_ends_it(project: Any, on_terminal: Start) -> None:
    project.task("bad", "execute: 'false'\n")
    person = on_terminal("spread", "-debug")
    person.prompted()
    person.types("kill -9 $PPID; kill -9 1; sleep 1000\r")
    person.sees("Error running debug shell: lost the connection")
    person.sees("Continuing...")
    assert person.ends() == 1
