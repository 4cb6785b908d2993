"""``spread`` as scripts call it: its lines, its summary, its exit codes."""

import re
from typing import Any

STAMP = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d ", re.MULTILINE)


def test_the_log_of_a_run(project: Any) -> None:
    project.task("good", "execute: 'true'\n")
    project.task("bad", "prepare: echo ready\nexecute: |\n    echo before\n    false\ndebug: echo look\nrestore: echo tidy\n")
    ended = project.run("spread", "-seed", "7")
    assert ended.code == 1
    assert ended.err == "error: unsuccessful run\n"
    assert "Sequence of jobs produced" not in ended.out
    lines = STAMP.sub("", ended.out)
    lines = re.sub(r"\(sandbox-\w+\)", "(LABEL)", lines)
    lines = re.sub(r"\d+\.\d\d[KM]B", "SIZE", lines)
    for expected in (
        "Project content is packed for delivery (SIZE).",
        "Allocating sandbox:this-host...",
        "Allocated sandbox:this-host (LABEL).",
        "Connecting to sandbox:this-host (LABEL)...",
        "Connected to sandbox:this-host (LABEL) at localhost.",
        "Sending project content to sandbox:this-host (LABEL)...",
        "Preparing sandbox:this-host:tests/bad (LABEL)...",
        "Error executing sandbox:this-host:tests/bad (LABEL) : \n-----\n+ echo before\nbefore\n+ false\n-----\n.\n",
        "Debug output for sandbox:this-host:tests/bad (LABEL) : \n-----\n+ echo look\nlook\n-----\n.\n",
        "Restoring sandbox:this-host:tests/bad (LABEL)...",
        "Discarding sandbox:this-host (LABEL)...",
        "Successful tasks: 1\n",
        "Aborted tasks: 0\n",
        "Failed tasks: 1\n    - sandbox:this-host:tests/bad\n",
    ):
        assert expected in lines, f"{expected!r} is not in\n{lines}"
    assert sorted(re.findall(r"Executing sandbox:this-host:tests/\w+ \(LABEL\) \((\d/\d)\)\.\.\.", lines)) == ["1/2", "2/2"]


def test_list_prints_names_only(project: Any) -> None:
    project.task("one", "execute: 'true'\n")
    project.task("two", "execute: 'true'\n")
    ended = project.run("spread", "-list", "tests/two")
    assert (ended.code, ended.out, ended.err) == (0, "sandbox:this-host:tests/two\n", "")


def test_errors_are_spreads(project: Any) -> None:
    project.task("one", "execute: 'true'\n")
    assert project.run("spread", "-list", "nothing").err == "error: nothing matches provider filter\n"
    assert project.run("spread", "-no-such-flag").code == 2
    assert project.run("spread", "-shell", "-abend").code == 1
    project.file("spread.yaml", "project: Bad\n")
    ended = project.run("spread", "-list")
    assert (ended.code, ended.err) == (1, 'error: invalid project name: "Bad"\n')


def test_repeat_counts_each_pass(project: Any) -> None:
    project.task("again", "execute: 'true'\n")
    ended = project.run("spread", "-repeat", "4")
    assert ended.code == 0
    assert "Successful tasks: 5" in ended.out
    assert ended.out.count("Executing ") == 5


def test_abend_restores_nothing_and_restore_runs_nothing_else(project: Any) -> None:
    project.task("bad", "prepare: echo PREPARED\nexecute: 'false'\nrestore: echo RESTORED\n")
    abended = project.run("spread", "-abend", "-vv")
    assert abended.code == 1
    assert "+ echo RESTORED" not in abended.out
    restored = project.run("spread", "-restore", "-vv")
    assert restored.code == 0
    assert "+ echo RESTORED" in restored.out
    assert "+ echo PREPARED" not in restored.out
    assert "Successful tasks: 0" in restored.out


def test_what_spread_refuses_is_refused_in_its_words_and_accepted_by_outspread(project: Any) -> None:
    project.task("kept", "artifacts: [some/dir/]\nkill-timeout: 10m\n")
    assert project.run("spread", "-list").err == "error: tests/kept has improper artifact path: some/dir/\n"
    assert project.run("outspread", "list").code == 0
    project.task("kept", "execute: 'true'\nkill-timeout: -1\n")
    assert project.run("spread", "-list").code == 1
    ended = project.run("outspread", "run")
    assert (ended.code, "1 job: 1 passed" in ended.out) == (0, True)
