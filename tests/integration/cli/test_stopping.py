"""Runs that are stopped: by Ctrl-C, by SIGTERM, by kill -9. Nothing of them is left, and what is known is kept."""

import json
import re
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


def processes_with(mark: str) -> list[int]:
    """Return the processes whose command line holds ``mark``."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if mark in (entry / "cmdline").read_text(errors="replace"):
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


def wait_for(condition: Callable[[], object], *, within_s: float = 20) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "the condition never held"
        time.sleep(0.02)


def groups_of(pid: int) -> set[str]:
    """Return the names of the control groups that a process of a sandbox is in."""
    lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    return {part for line in lines for part in line.split("/") if part.startswith("outspread-")}


def left(groups: set[str]) -> list[str]:
    """Return which of the control groups are still there."""
    return [str(path) for name in groups for path in Path("/sys/fs/cgroup").glob(f"**/{name}")]


def leftovers() -> list[str]:
    """Return the control groups of sandboxes of ours, and of those whose keeper is dead."""
    found = []
    for path in Path("/sys/fs/cgroup").glob("**/outspread-*"):
        named = re.fullmatch(r"outspread-(\d+)-.+", path.name)
        if named is None:
            continue  # a worker's slot: not of this command
        try:
            keeper = Path(f"/proc/{named[1]}/cmdline").read_text()
        except OSError:
            keeper = sys.executable
        if sys.executable in keeper:
            found.append(str(path))
    return found


@pytest.fixture
def sleeper(project: Any) -> str:
    """A job that sleeps for an odd number of seconds, by which it is found."""
    odd = f"4{time.time_ns() % 10**9}"
    project.task("sleeps", f"execute: sleep {odd}\n")
    project.task("waits", "priority: -1\nexecute: 'true'\n")
    return odd


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_run_at_once_and_gives_machines_back(project: Any, sleeper: str, number: int) -> None:
    with project.start("outspread", "run") as process:
        wait_for(lambda: processes_with(f"sleep\0{sleeper}"))
        groups = groups_of(processes_with(f"sleep\0{sleeper}")[0])
        began = time.monotonic()
        process.send_signal(number)
        _, err = process.communicate(timeout=20)
    assert time.monotonic() - began < 10
    assert process.returncode == 130
    assert err.startswith("interrupted: ")
    assert "Traceback" not in err
    assert not processes_with(f"sleep\0{sleeper}")
    assert not left(groups)
    (run,) = json.loads(project.run("outspread", "history", "--json").out)
    assert run["state"] == "cancelled"


def test_spread_ends_with_1_when_interrupted(project: Any, sleeper: str) -> None:
    with project.start("spread") as process:
        wait_for(lambda: processes_with(f"sleep\0{sleeper}"))
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=20)
    assert process.returncode == 1
    assert "Aborted tasks: 2" in out


def test_a_second_signal_does_not_wait(project: Any) -> None:
    odd = f"4{time.time_ns() % 10**9}"
    project.task("sleeps", f"execute: sleep {odd}\n")
    with project.start("outspread", "run") as process:
        wait_for(lambda: processes_with(f"sleep\0{odd}"))
        for number in (signal.SIGSTOP, signal.SIGHUP, signal.SIGTERM, signal.SIGCONT):  # stopped: it meets both at once
            process.send_signal(number)
        process.communicate(timeout=20)
    assert process.returncode in (128 + signal.SIGHUP, 128 + signal.SIGTERM)  # whichever it met last
    wait_for(lambda: not processes_with(f"sleep\0{odd}"))


def test_kill_9_leaves_nothing_and_history_says_so(project: Any, sleeper: str) -> None:
    with project.start("outspread", "run") as process:
        wait_for(lambda: processes_with(f"sleep\0{sleeper}"))
        groups = groups_of(processes_with(f"sleep\0{sleeper}")[0])
        process.kill()
        process.communicate(timeout=20)
    wait_for(lambda: not processes_with(f"sleep\0{sleeper}"))
    wait_for(lambda: not left(groups))
    (run,) = json.loads(project.run("outspread", "history", "--json").out)
    assert run["state"] == "lost"
    assert project.run("outspread", "run", "tests/waits").code == 0


# --- in every phase -------------------------------------------------------------------------------------------------

BIG_BYTES = 150_000_000

#: Phase: the line of the log by which it is known to have begun.
PHASES = {
    "packing": "",
    "allocating": "Allocating sandbox:this-host...",
    "sending": "Sending project content to",
    "preparing": "Preparing sandbox:this-host ",
    "executing": "Executing sandbox:this-host:tests/one",
    "rebooting": "as requested...",
    "fetching": "Fetching artifacts of",
    "restoring": "Restoring sandbox:this-host:tests/one",
}


@pytest.fixture
def phase(project: Any, tmp_path: Path) -> Callable[[str], tuple[str, Callable[[Any], None]]]:
    """Make a project that stays in a phase; return the mark of its processes, and how to wait until it is there."""

    def make(name: str) -> tuple[str, Callable[[Any], None]]:
        mark = f"5{time.time_ns() % 10**9}"
        stays = f"sleep {mark}"
        spread = (project.root / "spread.yaml").read_text()
        scripts = dict.fromkeys(("prepare", "execute", "restore"), "'true'")
        match name:
            case "packing":
                spread += f"repack: |\n    {stays} & {stays}\n"
            case "sending":
                with (project.root / "big").open("wb") as big:
                    big.truncate(BIG_BYTES)
            case "preparing":
                spread += f"prepare: {stays}\n"
            case "executing":
                scripts["execute"] = stays
            case "rebooting":
                scripts["execute"] = "'[ $SPREAD_REBOOT = 5 ] || REBOOT'"
            case "fetching":
                scripts["execute"] = f"truncate -s {BIG_BYTES} big"
            case "restoring":
                scripts["restore"] = stays
        project.file("spread.yaml", spread)
        project.task("one", "".join(f"{verb}: {script}\n" for verb, script in scripts.items()) + "artifacts: [big]\n")

        def reached(process: Any) -> None:
            if not PHASES[name]:
                wait_for(lambda: processes_with(f"sleep\0{mark}"))
                return
            while PHASES[name] not in (line := process.stdout.readline()):
                assert line, process.stderr.read()

        return f"sleep\0{mark}", reached

    return make


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("name", PHASES)
def test_every_phase_is_left_at_once_and_nothing_stays(
    project: Any, phase: Callable[..., Any], name: str, number: int, tmp_path: Path
) -> None:
    mark, reached = phase(name)
    with project.start("spread", "-artifacts", str(tmp_path / "artifacts")) as process:
        reached(process)
        began = time.monotonic()
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
    assert time.monotonic() - began < 10
    assert process.returncode == 1
    assert "Traceback" not in err
    assert err.startswith("interrupted")
    if name != "packing":
        assert "Aborted tasks: 1" in out or name in ("fetching", "restoring")
    wait_for(lambda: not processes_with(mark))
    wait_for(lambda: not leftovers())


@pytest.mark.parametrize("name", PHASES)
def test_a_second_signal_does_not_wait_in_any_phase(project: Any, phase: Callable[..., Any], name: str, tmp_path: Path) -> None:
    mark, reached = phase(name)
    with project.start("spread", "-artifacts", str(tmp_path / "artifacts")) as process:
        reached(process)
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=5)
    assert process.returncode in (1, 130, 143)  # 1: it was over before the second
    wait_for(lambda: not processes_with(mark))
    wait_for(lambda: not leftovers())


def test_a_terminal_that_is_closed_ends_the_run(project: Any, on_terminal: Callable[..., Any], sleeper: str) -> None:
    person = on_terminal("outspread", "run")
    wait_for(lambda: processes_with(f"sleep\0{sleeper}"))
    person.vanishes()
    wait_for(lambda: not processes_with(f"sleep\0{sleeper}"))


def test_signals_count_also_when_nobody_can_be_told(project: Any, sleeper: str) -> None:
    with project.start("outspread", "run") as process:
        process.stderr.close()
        wait_for(lambda: processes_with(f"sleep\0{sleeper}"))
        process.send_signal(signal.SIGINT)
        process.wait(timeout=20)
    wait_for(lambda: not processes_with(f"sleep\0{sleeper}"))


def test_a_run_whose_reader_has_gone_is_cancelled_and_its_reports_are_written(project: Any, tmp_path: Path) -> None:
    project.task("many", "samples: 50\nexecute: sleep 0.05\n")
    junit = tmp_path / "junit.xml"
    with project.start("outspread", "run", "--junit", str(junit)) as process:
        process.stdout.readline()
        process.stdout.close()
        process.wait(timeout=20)
        assert process.stderr.read() == ""
    assert process.returncode == 141
    assert "</testsuites>" in junit.read_text()
    (run,) = json.loads(project.run("outspread", "history", "--json").out)
    assert run["state"] == "cancelled"
