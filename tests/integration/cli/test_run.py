"""``outspread run`` for real: projects on disk, sandboxes of this host, what is printed and what is left."""

import json
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


def test_a_failure_shows_its_trace_its_debug_output_and_how_to_get_there_again(example: Callable[[str], Any]) -> None:
    ended = example("hello").run("outspread", "run")
    assert ended.code == 1
    report = ended.out.partition("\n\n")[2]
    assert "FAILED sandbox:this-host:tests/fails" in report
    assert "exit code 1" in report
    assert "+ MATCH 'Hello, world'" in report
    assert "w   r   o   l   d" in report
    again = re.search(r"again: (outspread run .*)", report)
    assert again is not None
    repeated = example("hello").run(*again[1].split())
    assert "1 job: 1 failed" in repeated.out
    assert "Traceback" not in ended.err + repeated.err


def test_reports_for_programs(project: Any, tmp_path: Path) -> None:
    project.task("good", "execute: echo fine\n")
    project.task("bad", "execute: |\n    printf 'caf\\xe9 \\x1b[31m'\n    exit 7\n")
    junit = tmp_path / "junit.xml"
    ended = project.run("outspread", "run", "--json", "--junit", str(junit))
    assert ended.code == 1
    events = [json.loads(line) for line in ended.out.splitlines()]
    outcomes = {event["job"]: event["outcome"] for event in events if event["event"] == "attempt-finished"}
    assert outcomes == {"sandbox:this-host:tests/good": "passed", "sandbox:this-host:tests/bad": "failed"}
    assert events[-1]["event"] == "summary"
    cases = {case.get("name"): case for case in ElementTree.parse(junit).iter("testcase")}
    assert [child.tag for child in cases["tests/bad" if "tests/bad" in cases else "bad"] if child.tag == "failure"] == ["failure"]


def test_a_timeout_kills_all_that_the_script_started(project: Any) -> None:
    project.task(
        "hangs",
        """\
kill-timeout: 1s
execute: |
    setsid sh -c 'echo $$ > /root/escaped; exec sleep 1001' &
    (nohup sleep 1002 >/dev/null 2>&1 & echo $! > /root/orphan)
    until test -s /root/escaped; do sleep 0.01; done
    sleep 1003
restore: |
    for left in $(cat /root/escaped /root/orphan); do
        test ! -e /proc/$left || ERROR "process $left is left"
    done
    test -z "$(pgrep -x sleep)"
""",
    )
    ended = project.run("outspread", "run")
    assert ended.code == 1
    assert "kill-timeout reached after 1s" in ended.out
    assert "<kill-timeout reached>" in ended.out
    assert "restore" not in ended.out


def test_jobs_are_spread_over_the_workers_and_every_one_runs_once(project: Any, with_workers: Callable[[int], None]) -> None:
    with_workers(3)
    project.task("many", "samples: 30\nexecute: hostname\n")
    ended = project.run("outspread", "run", "--json")
    assert ended.code == 0, ended.err
    done = [event for event in map(json.loads, ended.out.splitlines()) if event["event"] == "attempt-finished"]
    assert len(done) == 30
    assert len({event["job"] for event in done}) == 30
    assert len({event["machine"] for event in done}) == 3


def test_a_seed_repeats_an_order_and_another_does_not(project: Any) -> None:
    for number in range(8):
        project.task(f"t{number}", "execute: 'true'\n")

    def order(*arguments: str) -> list[str]:
        ended = project.run("outspread", "run", "--json", *arguments)
        return [event["job"] for event in map(json.loads, ended.out.splitlines()) if event["event"] == "attempt-finished"]

    first = order("--seed", "42")
    assert order("--seed", "42") == first
    assert order("--seed", "43") != first
    assert sorted(first) == sorted(order("--seed", "43"))


def test_the_longest_come_first_once_they_are_known(project: Any) -> None:
    for name, seconds in (("short", 0), ("longer", 0.2), ("longest", 0.5)):
        project.task(name, f"execute: sleep {seconds}\n")
    project.run("outspread", "run")
    ended = project.run("outspread", "run", "--json", "--order", "longest")
    events = map(json.loads, ended.out.splitlines())
    order = [event["job"].rpartition("/")[2] for event in events if event["event"] == "attempt-finished"]
    assert order == ["longest", "longer", "short"]


def test_content_is_what_the_project_says(project: Any) -> None:
    project.file("src/deep/kept.txt", "kept\n")
    project.file("src/left.o", "no\n")
    project.file("-odd", "a name like an option\n")
    project.file("notes.md", "not included\n")
    project.file(
        "spread.yaml",
        "project: made\npath: /srv/made\ninclude: [tests, s*, -odd]\nexclude: ['*.o']\nrename: ['s,^src/,lib/,']\n"
        "backends: {sandbox: {systems: [this-host]}}\nsuites: {tests/: {summary: s}}\n",
    )
    project.task(
        "content",
        "execute: |\n    cd /srv/made\n    find . -type f | sort\n    test -f lib/deep/kept.txt -a -f ./-odd\n"
        "    test ! -e lib/left.o -a ! -e notes.md\n",
    )
    ended = project.run("outspread", "run")
    assert ended.code == 0, ended.out


def test_repack_rewrites_the_content(project: Any) -> None:
    spread = (project.root / "spread.yaml").read_text()
    project.file(
        "spread.yaml",
        spread + "environment: {COLOUR: blue}\nrepack: |\n    mkdir -p $TMPDIR/p\n    tar -x -C $TMPDIR/p <&3\n"
        "    echo $COLOUR $SPREAD_BACKENDS > $TMPDIR/p/painted\n    tar -c -C $TMPDIR/p . >&4\n",
    )
    project.task("painted", "execute: MATCH '^blue sandbox$' < /srv/made/painted\n")
    ended = project.run("outspread", "run", env={"TMPDIR": str(project.state.parent)})
    assert ended.code == 0, ended.out + ended.err


def test_a_repack_that_fails_is_told_with_its_trace(project: Any) -> None:
    project.file("spread.yaml", (project.root / "spread.yaml").read_text() + "repack: |\n    echo words >&2\n    exit 5\n")
    project.task("never", "execute: 'true'\n")
    ended = project.run("outspread", "run")
    assert ended.code == 1
    assert "cannot repack project content: exit code 5" in ended.err
    assert "words" in ended.err


def test_a_backend_that_is_not_there_is_one_clear_line(project: Any) -> None:
    project.file(
        "spread.yaml", (project.root / "spread.yaml").read_text().replace("sandbox:", "google:").replace("this-host", "debian-12")
    )
    project.task("never", "execute: 'true'\n")
    ended = project.run("outspread", "run")
    assert ended.code == 1
    assert ended.err.startswith("error: cannot use a backend of type google: Outspread itself has no machines of this type")
    assert ended.out == ""
    by_sandbox = project.run("outspread", "run", "--sandbox")
    assert "cannot use a backend" not in by_sandbox.err


@pytest.mark.parametrize("state", ["/proc/nowhere", "/dev/null/state"])
def test_a_run_works_without_a_place_for_its_record(project: Any, state: str) -> None:
    project.task("works", "execute: 'true'\n")
    ended = project.run("outspread", "run", env={"OUTSPREAD_STATE": state})
    assert ended.code == 0
    assert "1 job: 1 passed" in ended.out
    assert ended.err.count("warning:") == 1
    assert "history" in ended.err


def test_two_runs_at_once_do_not_disturb_each_other(project: Any) -> None:
    project.task("slow", "samples: 10\nexecute: sleep 0.05\n")
    both = [project.start("outspread", "run") for _ in range(2)]
    for process in both:
        with process:
            out, err = process.communicate(timeout=60)
        assert process.returncode == 0, out + err
        assert "10 jobs: 10 passed" in out
        assert err == ""
    listed = json.loads(project.run("outspread", "history", "--json").out)
    assert [run["state"] for run in listed] == ["done", "done"]


def test_history_has_the_runs_and_what_their_jobs_printed(project: Any) -> None:
    project.task("speaks", "execute: |\n    echo 'these very words'\n    exit 3\n")
    project.run("outspread", "run")
    runs = json.loads(project.run("outspread", "history", "--json").out)
    assert [(run["state"], run["failed"]) for run in runs] == [("done", 1)]
    shown = project.run("outspread", "history", runs[0]["run_id"][:8])
    assert "tests/speaks" in shown.out
    assert "exit code 3" in shown.out
    log = project.run("outspread", "history", runs[0]["run_id"], "--log", "sandbox:this-host:tests/speaks")
    assert "these very words" in log.out


def test_without_tar_there_is_one_clear_line(project: Any, tmp_path: Path) -> None:
    project.task("never", "execute: 'true'\n")
    ended = project.run("outspread", "run", env={"PATH": str(tmp_path)})
    assert (ended.code, ended.out) == (1, "")
    assert ended.err == "error: cannot pack project content: tar is not installed\nhint: install GNU tar\n"


def test_a_repack_need_not_read_what_it_replaces(project: Any) -> None:
    project.file("large", "x" * 1_000_000)
    project.file("spread.yaml", (project.root / "spread.yaml").read_text() + "repack: |\n    tar -c spread.yaml tests >&4\n")
    project.task("small", "execute: test ! -e /srv/made/large\n")
    ended = project.run("outspread", "run")
    assert ended.code == 0, ended.out + ended.err


def test_an_artifact_from_the_far_future_is_fetched(project: Any, tmp_path: Path) -> None:
    project.task("future", "artifacts: [f]\nexecute: touch -d @99999999999999 f || touch f\n")
    ended = project.run("outspread", "run", "--artifacts", str(tmp_path / "kept"))
    assert ended.code == 0, ended.out + ended.err
    assert (tmp_path / "kept/sandbox:this-host:tests/future/f").exists()


def test_a_restore_that_fails_is_seen_wherever_one_looks(project: Any, tmp_path: Path) -> None:
    for number in range(3):
        project.task(f"t{number}", "execute: 'true'\nrestore: |\n    echo broken here\n    exit 4\n")
    junit = tmp_path / "junit.xml"
    ended = project.run("outspread", "run", "--junit", str(junit))
    assert ended.code == 1
    assert "restore failed: exit code 4" in ended.out
    assert "| broken here" in ended.out
    assert "3 jobs: 1 passed, 2 aborted; 1 restore failed" in ended.out
    assert "NOT BEGUN: 2 jobs: restore of the task failed: exit code 4" in ended.out
    assert ElementTree.parse(junit).getroot().get("errors") == "3"


def test_jobs_that_something_else_spoilt_are_named_with_the_reason(project: Any) -> None:
    project.file("spread.yaml", (project.root / "spread.yaml").read_text() + "        prepare: exit 3\n")
    project.task("one", "execute: 'true'\n")
    project.task("two", "execute: 'true'\n")
    ended = project.run("outspread", "run")
    assert ended.code == 1
    block = ended.out.partition("ABORTED: ")[2]
    assert block.startswith("prepare of the suite failed: exit code 3\n")
    assert "sandbox:this-host:tests/one" in block
    assert "sandbox:this-host:tests/two" in block


def test_artifacts_that_are_not_there_are_named(project: Any, tmp_path: Path) -> None:
    project.task("lacks", "artifacts: [absent]\nexecute: 'true'\n")
    ended = project.run("outspread", "run", "--artifacts", str(tmp_path / "kept"))
    assert ended.code == 0
    assert "artifacts of sandbox:this-host:tests/lacks that are not there: absent" in ended.out
