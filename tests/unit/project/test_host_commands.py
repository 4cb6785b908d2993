"""The real door: starts bash, and nothing else does in these tests."""

import os
import time
from pathlib import Path

import pytest

from outspread.project.errors import HostCommandError
from outspread.project.host_commands import ShellHostCommands, no_host_commands


def test_output_without_the_last_line_breaks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUTSPREAD_TEST", "from outside")
    assert ShellHostCommands().output_of(' echo " $OUTSPREAD_TEST"; echo; echo; ls /dev/null >&2') == " from outside"


def test_runs_in_the_current_directory_without_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert ShellHostCommands().output_of("pwd; cat") == str(tmp_path)


def test_each_command_runs_once(tmp_path: Path) -> None:
    host = ShellHostCommands()
    command = f"echo x >> {tmp_path}/count; wc -l < {tmp_path}/count"
    assert [host.output_of(command) for _ in range(3)] == ["1", "1", "1"]


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("echo err1 >&2; echo err2 >&2; false", "err1; err2"),
        ("exit 3", "exit status 3"),
        ("kill -KILL $$", "signal: killed"),
        ("echo a\0b", "cannot start /bin/bash: embedded null byte"),
        ("echo " + "x" * 200_000, "cannot start /bin/bash: Argument list too long"),
    ],
)
def test_failures(command: str, message: str) -> None:
    with pytest.raises(HostCommandError) as caught:
        ShellHostCommands().output_of(command)
    assert str(caught.value) == message


def test_too_much_output_is_cut_off() -> None:
    with pytest.raises(HostCommandError, match="printed more than 16 MiB"):
        ShellHostCommands().output_of("cat /dev/zero")


def test_whoever_takes_too_long_is_ended_with_its_children(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    with pytest.raises(HostCommandError, match=r"did not end within 0\.3 s"):
        ShellHostCommands(within_s=0.3).output_of(f"(echo $BASHPID > {pid_file}; sleep 60; :); :")
    pid = int(pid_file.read_text())
    deadline = time.monotonic() + 5
    while Path(f"/proc/{pid}").exists() and "Z" not in Path(f"/proc/{pid}/stat").read_text().split()[2]:
        assert time.monotonic() < deadline


def test_what_it_leaves_in_the_background_keeps_nobody_waiting(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    before = time.monotonic()
    assert ShellHostCommands(within_s=20).output_of(f"sleep 30 & echo $! > {pid_file}; echo done") == "done"
    assert time.monotonic() - before < 15
    os.kill(int(pid_file.read_text()), 15)


def test_no_commands() -> None:
    assert no_host_commands.output_of(" a ") == "$(HOST: a )"
