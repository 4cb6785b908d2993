"""A step goes on over reboots, names what ended it, and warns when it is late."""

import asyncio
import re
from collections.abc import Callable
from typing import Any

import pytest

from outspread.errors import ConnectionLostError, InfrastructureError
from outspread.machines.contract import ScriptEnd
from outspread.worker.step_runner import MAX_REBOOTS, StepEnd, StepResult, StepRunner, StepScript

MakeShell = Callable[[Callable[[str], tuple[ScriptEnd, bytes]]], Any]

SCRIPT = StepScript(("do it",), "/srv", (("NAME", "value"),), warn_s=300, kill_s=900)


def run(shell: Any, script: StepScript = SCRIPT) -> tuple[StepResult, list[str], list[int]]:
    late: list[str] = []
    reboots: list[int] = []
    runner = StepRunner(shell, late=late.append, rebooting=reboots.append, rebooted=print)
    return asyncio.run(runner.run(script)), late, reboots


@pytest.mark.parametrize(
    ("end", "printed", "expected", "reason"),
    [
        (ScriptEnd(0), b"fine\n", StepEnd.PASSED, ""),
        (ScriptEnd(3), b"+ false\n", StepEnd.FAILED, "exit code 3"),
        (ScriptEnd(None, signal=9), b"", StepEnd.FAILED, "killed by signal 9"),
        (ScriptEnd(None, signal=9, timed_out=True), b"half", StepEnd.TIMEOUT, "kill-timeout reached after 15m"),
        (ScriptEnd(213), b"+ ERROR\n<ERROR no disk left>\n", StepEnd.FAILED, "no disk left"),
        (ScriptEnd(213), b"no marker\n", StepEnd.FAILED, "exit code 213"),
        (ScriptEnd(1), b"<ERROR not by ERROR>\n", StepEnd.FAILED, "exit code 1"),
    ],
)
def test_how_it_ended(fake_shell: MakeShell, end: ScriptEnd, printed: bytes, expected: StepEnd, reason: str) -> None:
    result, _, _ = run(fake_shell(lambda _: (end, printed)))
    assert (result.end, result.reason) == (expected, reason)
    assert result.output.startswith(printed.rstrip())
    assert result.error_text == (reason == "no disk left")


def test_a_kill_is_noted_at_the_end_of_the_output(fake_shell: MakeShell) -> None:
    result, _, _ = run(fake_shell(lambda _: (ScriptEnd(None, signal=9, timed_out=True), b"half a line")))
    assert result.output == b"half a line\n<kill-timeout reached>\n"


def test_the_same_script_runs_again_after_a_reboot(fake_shell: MakeShell) -> None:
    answers = [(ScriptEnd(213), b"one\n<REBOOT>\n"), (ScriptEnd(213), b"two\n<REBOOT mykey>\n"), (ScriptEnd(0), b"three\n")]
    shell = fake_shell(lambda _: answers.pop(0))
    result, _, reboots = run(shell)
    assert result.end is StepEnd.PASSED
    assert result.output == b"one\n<REBOOT>\n\ntwo\n<REBOOT mykey>\n\nthree\n"
    assert shell.reboots == 2
    assert reboots == [1, 2]
    keys = [line for script in shell.scripts for line in script.splitlines() if "SPREAD_REBOOT" in line]
    assert [key.partition("=")[2].strip('"') for key in keys] == ["0", "1", "mykey"]


def test_a_script_that_reboots_without_end_is_stopped(fake_shell: MakeShell) -> None:
    shell = fake_shell(lambda _: (ScriptEnd(213), b"<REBOOT>\n"))
    result, _, reboots = run(shell)
    assert result.end is StepEnd.FAILED
    assert result.reason == "asked for more than 10 reboots"
    assert shell.reboots == MAX_REBOOTS
    assert reboots == list(range(1, MAX_REBOOTS + 2))


def test_a_machine_that_does_not_come_back_is_lost(fake_shell: MakeShell) -> None:
    shell = fake_shell(lambda _: (ScriptEnd(213), b"<REBOOT>\n"))

    async def stays_away(*, within_s: float) -> None:
        raise InfrastructureError(f"not back within {within_s:g} s")

    shell.reboot = stays_away
    with pytest.raises(ConnectionLostError, match="did not come back from a requested reboot: not back within 900 s"):
        run(shell)


def test_it_warns_again_and_again_while_a_script_is_late(fake_shell: MakeShell) -> None:
    shell = fake_shell(lambda _: (ScriptEnd(0), b""))
    late: list[str] = []

    async def slow(script: bytes, *, output: Callable[[bytes], None], kill_after_s: float) -> ScriptEnd:
        while len(late) < 3:
            if len(late) == 1 and not shell.reboots:
                output(b"something\n")
                shell.reboots = -1  # said once
            await asyncio.sleep(0)
        return ScriptEnd(0)

    shell.run = slow
    runner = StepRunner(shell, late=late.append, rebooting=print, rebooted=print)
    hurried = StepScript(("true",), "/", (), warn_s=0.001, kill_s=900)
    assert asyncio.run(runner.run(hurried)).end is StepEnd.PASSED
    assert late[0] == "Output still empty."
    assert late[1:3] == ["Current output:\nsomething", "Output unchanged."]


def test_output_is_handed_on_as_it_comes_over_reboots(fake_shell: MakeShell) -> None:
    rounds = iter([(ScriptEnd(213), b"one\n<REBOOT>\n"), (ScriptEnd(0), b"two\n")])
    printed: list[bytes] = []
    runner = StepRunner(fake_shell(lambda _: next(rounds)), late=lambda _: None, rebooting=lambda _: None, rebooted=print)
    result = asyncio.run(runner.run(SCRIPT, printed.append))
    assert printed == [b"one\n<REBOOT>\n", b"two\n"]
    assert result.output == b"one\n<REBOOT>\n\ntwo\n"


def test_times_before_lines_hide_no_marker(fake_shell: MakeShell) -> None:
    rounds = iter([(ScriptEnd(213), b"one\n<REBOOT>\n"), (ScriptEnd(213), b"two\n<ERROR no luck>\n")])
    reboots: list[int] = []
    runner = StepRunner(
        fake_shell(lambda _: next(rounds)), late=lambda _: None, rebooting=reboots.append, rebooted=print, time_lines=True
    )
    result = asyncio.run(runner.run(SCRIPT))
    assert reboots == [1]
    assert (result.end, result.reason, result.error_text) == (StepEnd.FAILED, "no luck", True)
    assert re.search(rb"^\d\d:\d\d:\d\d\.\d{3} two$", result.output, re.MULTILINE)
