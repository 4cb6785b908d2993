"""What is made of the end of a script on this host."""

import pytest

from outspread.machines.adhoc.local_scripts import LocalScript, ScriptOutput, failure, hidden, with_trace
from outspread.machines.contract import ScriptEnd

SCRIPT = LocalScript("the allocate script of lab:a-1", "", "/", {}, 60, 90, secrets=("s3cret",))


def test_a_failure_shows_how_it_ended_and_its_trace_without_secrets() -> None:
    error = failure(SCRIPT, ScriptEnd(3), "+ chpasswd root:s3cret\n+ false\n")
    assert str(error) == "the allocate script of lab:a-1 failed: exit code 3\n-----\n+ chpasswd root:******\n+ false\n-----"
    assert error.retry


@pytest.mark.parametrize(
    ("end", "how"),
    [
        (ScriptEnd(None, signal=9), "killed by signal 9"),
        (ScriptEnd(None, signal=9, timed_out=True), "kill-timeout reached after 90 s"),
        (ScriptEnd(213), "exit code 213"),
    ],
)
def test_how_it_ended(end: ScriptEnd, how: str) -> None:
    assert str(failure(SCRIPT, end, "")) == f"the allocate script of lab:a-1 failed: {how}"


def test_error_and_fatal_are_the_scripts_own_words() -> None:
    error = failure(SCRIPT, ScriptEnd(213), "+ ERROR no room for s3cret\n<ERROR no room for s3cret>\n")
    assert (str(error), error.retry) == ("no room for ******", True)
    error = failure(SCRIPT, ScriptEnd(213), "<FATAL no such image>\n")
    assert (str(error), error.retry) == ("no such image", False)
    assert str(failure(SCRIPT, ScriptEnd(213), "<FATAL>\n")) == "the allocate script of lab:a-1 says no more than FATAL"


def test_of_a_long_trace_the_end_is_shown() -> None:
    lines = with_trace("what", "".join(f"+ {number}\n" for number in range(1000)), ()).splitlines()
    assert lines[:4] == ["what", "-----", "(... 800 lines above ...)", "+ 800"]
    assert lines[-2:] == ["+ 999", "-----"]


def test_the_longest_secret_is_hidden_first() -> None:
    assert hidden("abcd ab", ("ab", "abcd", "")) == "****** ******"


def test_output_without_end_is_bounded() -> None:
    output = ScriptOutput()
    for _ in range(200):
        output.add(b"x" * 65536)
    output.add(b"end")
    assert len(output.text()) <= 4 * 1024 * 1024 + 3
    assert output.text().endswith("end")
