"""The script that runs a job's command again says exactly what the worker ran."""

import subprocess
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from outspread.client.fetching import safe_name
from outspread.client.reproduction import script
from outspread.controller.command_values import CommandAttempt, CommandJob

WORDS = st.lists(st.text(st.characters(min_codepoint=1, exclude_categories=["Cs"]), max_size=8), min_size=1, max_size=3)


def attempt(job: str = "a") -> CommandAttempt:
    return CommandAttempt(attempt_id="run-1.7.2", job=job, number=7, attempt=2, worker="w")


@given(WORDS, st.text(st.characters(min_codepoint=1, exclude_categories=["Cs"]), max_size=8))
def test_words_and_values_come_through_the_shell_as_they_are(words: list[str], value: str) -> None:
    job = CommandJob(name="a\nb", command=("printf", "%s\\0", *words), environment={"X": value})
    text = script(job, attempt()).replace('cd -- "$(dirname -- "$0")"/tree || exit 1', ":")
    printed = subprocess.run(["/bin/sh"], input=text.encode(), capture_output=True, check=True).stdout
    assert printed.decode().split("\0")[:-1] == words
    told = subprocess.run(
        ["/bin/sh", "-s", "printenv", "X", "OUTSPREAD_ATTEMPT", "OUTSPREAD_RUN"],
        input=text.encode(),
        capture_output=True,
        check=True,
    )
    assert told.stdout.decode() == f"{value}\nrun-1.7.2\nrun-1\n"


@given(st.text(max_size=300))
def test_names_of_files_lead_nowhere(job: str) -> None:
    name = safe_name(attempt(job))
    assert name.startswith("00007.2")
    assert "/" not in name
    assert (Path("/a") / name).parent == Path("/a")
    assert len(name) < 200
    assert name.isascii()
