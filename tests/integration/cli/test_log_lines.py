"""Each line that Spread's log has, and the summary: seen in real runs over SSH (specs/spread.md, sections 10 and 18).

Scripts around Spread read these lines, so that they are an interface. A row is what must stand in the log; where it differs from
Spread's on purpose, the row says how.
"""

import re
from typing import Any, NamedTuple

import pytest

STAMP = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d "
SPREAD_YAML = """
prepare: echo project
restore: 'false'
backends:
    lab:
        prepare: echo backend
        restore: 'false'
suites:
    tests/:
        summary: Everything that can happen to a task
        prepare: echo suite
        restore: 'false'
        debug-each: echo debug of each
    left-out/:
        summary: Skipped as a whole
        priority: 10
        skip: [{if: 'true', reason: nobody wants it}]
    broken/:
        summary: Cannot be prepared
        priority: 10
        prepare: ERROR no suite today
        debug: echo debug of suite
"""
TASKS = {
    "tests/good": "prepare: echo ready\nexecute: 'true'\nrestore: echo tidy\nenvironment: {X/a: 1, X/b: 2}",
    "tests/sampled": "samples: 2\nexecute: 'true'",
    "tests/bad": "prepare: echo > out\nexecute: |\n    echo one\n    echo two\n    false\n"
    "debug: |\n    echo three\n    echo four\nartifacts: [out, lost]",
    "tests/author": "execute: ERROR no network here",
    "tests/silent": "execute: |\n    { set +x; } 2> /dev/null; exit 3",
    "tests/odd": "execute: false\ndebug: ERROR no debugging today",
    "tests/unready": "prepare: ERROR not ready\nexecute: 'true'",
    "tests/needless": "skip: [{if: 'false', reason: no}, {if: 'true', reason: too old}]\nexecute: 'true'",
    "tests/late": "warn-timeout: 400ms\nkill-timeout: 1500ms\nexecute: |\n    seq 20\n    sleep 98765",
    "tests/empty": "warn-timeout: 300ms\nexecute: |\n    { set +x; } 2> /dev/null; sleep 0.5 2> /dev/null",
    "tests/reboots": "execute: |\n    echo round $SPREAD_REBOOT\n    [ $SPREAD_REBOOT = later ] || REBOOT later",
    "tests/nothing": "prepare: 'true'",
    "left-out/a": "execute: 'true'",
    "left-out/b": "execute: 'true'",
    "broken/a": "execute: 'true'",
    "broken/b": "execute: 'true'",
    # The last one: a failing restore ends the work on the machine, and what is left is aborted.
    "tests/untidy": "priority: -1\nexecute: 'true'\nrestore: ERROR cannot tidy",
    "tests/never": "priority: -2\nexecute: 'true'",
}
RULED = r"\n-----\n{}\n-----\n\.\n"


class Run(NamedTuple):
    """A run that many tests look at."""

    code: int
    out: str
    err: str


def write(lab: Any, top: str, tasks: dict[str, str]) -> None:
    """Write the project: the lab's allocation with what ``top`` says beside it."""
    import yaml

    lab.write()
    document = yaml.safe_load((lab.project.root / "spread.yaml").read_text())
    more = yaml.safe_load(top)
    document["backends"]["lab"] |= more.pop("backends")["lab"]
    lab.project.file("spread.yaml", yaml.safe_dump(document | more, sort_keys=False))
    for name, text in tasks.items():
        lab.project.file(f"{name}/task.yaml", f"summary: {name}\n{text}\n")


@pytest.fixture(scope="module")
def run(shared_lab: Any) -> Run:
    write(shared_lab, SPREAD_YAML, TASKS)
    artifacts = str(shared_lab.directory / "artifacts")
    ended = shared_lab.project.run("spread", "-v", "-artifacts", artifacts, env={"TZ": "Asia/Tokyo"}, within_s=120)
    shared_lab.rebooted()
    return Run(ended.code, ended.out, ended.err)


SERVER = "lab:debian-12"
NAMED = rf"{SERVER} \({SERVER}\)"

#: What the row is about, and what must stand in the log from the beginning of a line on.
LINES = [
    ("where the project was found (-v)", rf"{STAMP}Found /\S+/spread\.yaml\.\n"),
    ("packed", rf"{STAMP}Project content is packed for delivery \(\d+\.\d\dKB\)\.\n"),
    ("a seed that was chosen", rf"{STAMP}Sequence of jobs produced with -seed=\d+\n"),
    ("what gives machines back", rf"{STAMP}If killed, discard servers with: spread -reuse-pid=\d+ -discard\n"),
    ("allocating", rf"{STAMP}Allocating {SERVER}\.\.\.\n"),
    ("waiting for SSH", rf"{STAMP}Waiting for {SERVER} to make SSH available at 127\.[\d.]+:\d+\.\.\.\n"),
    ("allocated", rf"{STAMP}Allocated {SERVER}\.\n"),
    ("connecting", rf"{STAMP}Connecting to {SERVER}\.\.\.\n"),
    ("connected", rf"{STAMP}Connected to {SERVER} at 127\.[\d.]+:\d+\.\n"),
    ("sending", rf"{STAMP}Sending project content to {SERVER}\.\.\.\n"),
    ("preparing project, then backend: indistinguishable", rf"{STAMP}Preparing {NAMED}\.\.\.\n{STAMP}Preparing {NAMED}\.\.\.\n"),
    ("preparing a suite", rf"{STAMP}Preparing {SERVER}:tests/ \({SERVER}\)\.\.\.\n"),
    ("preparing a task", rf"{STAMP}Preparing {SERVER}:tests/good:a \({SERVER}\)\.\.\.\n"),
    ("executing, with variant", rf"{STAMP}Executing {SERVER}:tests/good:b \({SERVER}\) \(\d+/20\)\.\.\.\n"),
    ("executing, with sample", rf"{STAMP}Executing {SERVER}:tests/sampled#2 \({SERVER}\) \(\d+/20\)\.\.\.\n"),
    ("restoring a task", rf"{STAMP}Restoring {SERVER}:tests/good:a \({SERVER}\)\.\.\.\n"),
    (
        "restoring suite, backend, project",
        rf"Restoring {SERVER}:tests/ \(.*\)\.\.\.\n(?s:.*)Restoring {NAMED}(?s:.*)Restoring {NAMED}",
    ),
    (
        "an error of several lines, between rules, a dot after it",
        rf"{STAMP}Error executing {SERVER}:tests/bad \({SERVER}\) : "
        + RULED.format(r"\+ echo one\none\n\+ echo two\ntwo\n\+ false"),
    ),
    ("an error of one line, in the line, no dot", rf"{STAMP}Error executing {SERVER}:tests/odd \({SERVER}\) : \+ false\n{STAMP}"),
    ("an error in the author's words", rf"{STAMP}Error executing {SERVER}:tests/author \({SERVER}\) : no network here\n{STAMP}"),
    (
        "an error without output: the exit code, where Spread has that of its SSH library",
        rf"{STAMP}Error executing {SERVER}:tests/silent \({SERVER}\) : exit code 3\n",
    ),
    ("an error of prepare", rf"{STAMP}Error preparing {SERVER}:tests/unready \({SERVER}\) : not ready\n"),
    ("an error of restore", rf"{STAMP}Error restoring {SERVER}:tests/untidy \({SERVER}\) : cannot tidy\n"),
    ("an error of a suite", rf"{STAMP}Error preparing {SERVER}:broken/ \({SERVER}\) : no suite today\n"),
    ("an error of backend and project", rf"{STAMP}Error restoring {NAMED} : \+ false\n"),
    (
        "debug output: the task's, then that of each",
        rf"{STAMP}Debug output for {SERVER}:tests/bad \({SERVER}\) : "
        + RULED.format(r"\+ echo three\nthree\n\+ echo four\nfour\n\+ echo debug of each\ndebug of each"),
    ),
    (
        "debug output of a suite",
        rf"{STAMP}Debug output for {SERVER}:broken/ \({SERVER}\) : " + RULED.format(".*\ndebug of suite"),
    ),
    ("a debug script that fails", rf"{STAMP}Error debugging {SERVER}:tests/odd \({SERVER}\) : no debugging today\n"),
    ("artifacts", rf"{STAMP}Fetching artifacts of {SERVER}:tests/bad\.\.\.\n"),
    ("ours: artifacts that are not there", rf"{STAMP}Artifacts of {SERVER}:tests/bad that are not there: lost\n"),
    ("checking a task (spread-plus)", rf"{STAMP}Checking {SERVER}:tests/needless \({SERVER}\)\.\.\.\n"),
    ("checking a suite (spread-plus)", rf"{STAMP}Checking {SERVER}:left-out/ \({SERVER}\)\.\.\.\n"),
    ("skipping (spread-plus)", rf"{STAMP}Skipping {SERVER}:tests/needless \({SERVER}\)\.\.\.\n"),
    (
        "late: what it printed, the last ten lines",
        rf"{STAMP}WARNING: {SERVER} \({SERVER}:tests/late\) running late\. Current output:"
        + RULED.format(r"\(\.\.\. 12 lines above \.\.\.\)\n12\n(?s:.*)20\n\+ sleep 98765"),
    ),
    ("late: unchanged", rf"{STAMP}WARNING: {SERVER} \({SERVER}:tests/late\) running late\. Output unchanged\.\n{STAMP}"),
    (
        "late: empty",
        rf"{STAMP}WARNING: {SERVER} \({SERVER}:tests/empty\) running late\. Output still empty\.\n{STAMP}",
    ),
    (
        "killed",
        rf"{STAMP}Error executing {SERVER}:tests/late \({SERVER}\) : "
        + RULED.format(r"(?s:.*)\+ sleep 98765\n<kill-timeout reached>"),
    ),
    ("reboot", rf"{STAMP}Rebooting on {SERVER} \({SERVER}:tests/reboots\) as requested\.\.\.\n"),
    ("back from it (spread-plus)", rf"{STAMP}Connected after reboot to {SERVER} \({SERVER}:tests/reboots\)\n"),
    ("discarding", rf"{STAMP}Discarding {SERVER}\.\.\.\n"),
    ("ours (-v): why a job was never begun", rf"{STAMP}Aborted {SERVER}:broken/[ab]: "),
]


@pytest.mark.parametrize("pattern", [pytest.param(pattern, id=name) for name, pattern in LINES])
def test_a_line(run: Run, pattern: str) -> None:
    assert re.search(f"^{pattern}" if pattern.startswith(STAMP) else pattern, run.out, re.MULTILINE), run.out


#: The whole summary, in order.
SUMMARY = """\
Successful tasks: 8
Aborted tasks: 4
Skipped tasks: 3
    - lab:debian-12:left-out/a - nobody wants it
    - lab:debian-12:left-out/b - nobody wants it
    - lab:debian-12:tests/needless - too old
Failed tasks: 5
    - lab:debian-12:tests/author
    - lab:debian-12:tests/bad
    - lab:debian-12:tests/late
    - lab:debian-12:tests/odd
    - lab:debian-12:tests/silent
Failed task prepare: 1
    - lab:debian-12:tests/unready
Failed task restore: 1
    - lab:debian-12:tests/untidy
Skipped suites: 1
    - lab:debian-12:left-out/ - nobody wants it
Failed suite prepare: 1
    - lab:debian-12:broken/
Failed suite restore: 1
    - lab:debian-12:tests/
Failed backend restore: 1
    - lab:debian-12:lab
Failed project restore: 1
    - lab:debian-12:project
"""


def test_the_summary(run: Run) -> None:
    summary = run.out[run.out.index("Successful tasks: ") :]
    assert re.sub(STAMP, "", summary) == SUMMARY


def test_the_last_word_is_on_standard_error(run: Run) -> None:
    assert run.code == 1
    assert run.err.splitlines()[-1] == "error: unsuccessful run"


def test_executes_are_counted_as_they_begin(run: Run) -> None:
    counted = [int(found) for found in re.findall(r"^.* Executing .* \((\d+)/20\)\.\.\.$", run.out, re.MULTILINE)]
    assert counted == list(range(1, len(counted) + 1))


def test_times_are_local(run: Run) -> None:
    """The run was made in Japan."""
    import datetime
    import zoneinfo

    began = datetime.datetime.fromisoformat(run.out[:19]).replace(tzinfo=zoneinfo.ZoneInfo("Asia/Tokyo"))
    assert abs((datetime.datetime.now(datetime.UTC) - began).total_seconds()) < 600


def test_every_line_has_a_time_but_those_that_go_on(run: Run) -> None:
    """What has none stands between rules, is the dot after them, or a name of the summary."""
    inside = False
    for line in run.out.splitlines():
        if line == "-----":
            inside = not inside
        elif not inside:
            assert re.match(STAMP, line) or line == "." or line.startswith("    - "), line
    assert not inside


def test_nothing_is_left(run: Run, shared_lab: Any) -> None:
    assert shared_lab.taken() == shared_lab.notes() == []


# --- lines that other runs have ------------------------------------------------------------------------------------------

ONE_TASK = "suites: {more/: {summary: More}}\nbackends: {lab: {}}"


def lines(out: str) -> list[str]:
    text = re.sub(r"127\.[\d.]+:\d+", "ADDRESS", re.sub(f"^{STAMP}", "", out, flags=re.MULTILINE))
    return re.sub(r"\d+\.\d\dKB|-reuse-pid=\d+", "...", text).splitlines()


def test_lines_of_machines_that_are_used_again(run: Run, shared_lab: Any) -> None:
    write(shared_lab, ONE_TASK, {"more/one": "execute: 'true'"})
    spread = shared_lab.project.run
    kept = lines(spread("spread", "-reuse", "more/").out)
    assert "If killed" not in "\n".join(kept)  # nothing would have to be discarded
    assert kept[-3:] == ["Keeping lab:debian-12 at ADDRESS", "Successful tasks: 1", "Aborted tasks: 0"]
    again = lines(spread("spread", "-reuse", "more/").out)
    assert again[1] == "Reusing lab:debian-12..."
    assert "Reusing project data on lab:debian-12..." in again
    assert not any(line.startswith(("Allocating", "Sending")) for line in again)
    resent = lines(spread("spread", "-reuse", "-resend", "more/").out)
    assert "Removing project data from lab:debian-12 at /srv/made..." in resent
    assert "Sending project content to lab:debian-12..." in resent
    discarded = spread("spread", "-discard")
    assert (discarded.code, lines(discarded.out)) == (0, ["Discarding lab:debian-12..."])


def test_lines_for_travis(run: Run, shared_lab: Any) -> None:
    """Each script between time marks; what may fold between fold marks, the dot after them."""
    write(shared_lab, ONE_TASK, {"more/one": "execute: |\n    echo one\n    false"})
    out = shared_lab.project.run("spread", "more/", env={"TRAVIS": "true"}).out
    script = re.search(
        rf"^travis_time:start:(\w+)\n{STAMP}Executing .*\.\.\.\ntravis_time:end:\1:start=\d+,finish=\d+,duration=\d+\n",
        out,
        re.MULTILINE,
    )
    error = re.search(
        rf"^travis_fold:start:(\w+)\ntravis_time:start:\1\n{STAMP}Error executing .* : \n-----\n(?s:.*)-----\n"
        r"travis_time:end:\1:start=\d+,finish=\d+,duration=\d+\ntravis_fold:end:\1\n\.\n",
        out,
        re.MULTILINE,
    )
    assert script is not None, out
    assert error is not None, out
    assert script[1] != error[1]
