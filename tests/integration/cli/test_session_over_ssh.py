"""What a session can do, seen on machines that SSH reaches. The rules themselves are tried one by one in sandboxes
(``test_session_rules``, ``test_shells``, ``test_stopping``); kept machines are in ``test_reuse``, flags in
``test_spread_command_line``, lost machines in ``test_adhoc`` and the fault tests.
"""

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

CONTENT = """
include: [first, second, limits, "data/*", link]
exclude: ["*.tmp"]
rename: ["s,^data/old,data/new,"]
repack: |
    tar --delete -f - data/secret <&3 >&4
prepare: |
    test "$(cat data/new.txt)" = renamed
    test ! -e data/old.txt
    test ! -e data/left.tmp
    test ! -e data/secret
    test ! -e not-included
    test "$(readlink link)" = data/deep
    test -x link/run.sh
    test "$(readlink data/nowhere)" = /no/such/place
suites:
    first/:
        summary: One suite
    second/:
        summary: Another one
    limits/:
        summary: Limits of time
        warn-timeout: 200ms
        kill-timeout: 400ms
"""
TASKS = {
    "first/a": "execute: 'true'",
    "first/sampled": "samples: 3\nexecute: echo $SPREAD_SAMPLE",
    "first/z": "execute: 'true'",
    "second/a": "execute: 'true'",
    "second/urgent": "priority: 5\nexecute: 'true'",
    "second/leaves": "execute: |\n    mkdir -p logs/deep results\n    touch logs/a.log logs/b.log logs/deep/c.txt results/one\n"
    "artifacts: [task.yaml, 'logs/*.log', results, '*.none', absent]",
    "second/counts": "execute: |\n    case $SPREAD_REBOOT in 0) REBOOT ;; 1) REBOOT last ;; last) ;; *) false ;; esac",
    "second/prepares": "prepare: |\n    [ $SPREAD_REBOOT = 1 ] || REBOOT\nexecute: test $SPREAD_REBOOT = 0",
    "second/never-up": "kill-timeout: 20s\nexecute: REBOOT",
    "limits/none": "kill-timeout: -1\nwarn-timeout: -1\nexecute: sleep 0.8",
    "limits/tree": "execute: |\n    setsid sleep 98765 &\n    (env -i sleep 98765 &)\n    sleep 98765",
}


@pytest.fixture(scope="module")
def lab(shared_lab: Any) -> Any:
    """The lab, in which a project with all that was run once."""
    text = (shared_lab.project.root / "spread.yaml").read_text()
    shared_lab.project.file("spread.yaml", text.partition("suites:")[0] + CONTENT)
    for name, task in TASKS.items():
        shared_lab.project.file(f"{name}/task.yaml", f"summary: {name}\n{task}\n")
    file = shared_lab.project.file
    for name, content in {"data/old.txt": "renamed", "data/left.tmp": "", "data/secret": "", "not-included": ""}.items():
        file(name, content)
    file("data/deep/run.sh", "#!/bin/sh\n").chmod(0o755)
    (shared_lab.project.root / "link").symlink_to("data/deep")
    (shared_lab.project.root / "data/nowhere").symlink_to("/no/such/place")
    return shared_lab


class Seen:
    """The events of a run."""

    def __init__(self, out: str) -> None:
        self.events = [json.loads(line) for line in out.splitlines()]

    def of(self, kind: str, name: str = "") -> list[dict[str, Any]]:
        return [event for event in self.events if event["event"] == kind and (not name or event["job"].endswith(name))]

    @property
    def executed(self) -> list[str]:
        return [event["job"].rpartition(":")[2] for event in self.of("step-started") if event["verb"] == "execute"]

    def outcome(self, name: str) -> dict[str, Any]:
        (finished,) = self.of("attempt-finished", name)
        return finished


@pytest.fixture(scope="module")
def artifacts(lab: Any) -> Path:
    directory: Path = lab.directory / "artifacts"
    return directory


@pytest.fixture(scope="module")
def seen(lab: Any, artifacts: Path) -> Seen:
    ended = lab.project.run("outspread", "run", "--json", "--seed", "3", "--artifacts", str(artifacts), within_s=120)
    assert ended.code == 1, ended
    made = Seen(ended.out)
    lab.rebooted(len(made.of("rebooted")))
    return made


def test_content_is_what_the_rules_say(seen: Seen) -> None:
    """The project's prepare looks at each of them."""
    prepares = [event for event in seen.of("step-finished") if event["level"] == "project"]
    assert [(event["outcome"], event["output"]) for event in prepares] == [("passed", "")]


def test_all_the_rest_passes(seen: Seen) -> None:
    other = {event["job"].rpartition(":")[2] for event in seen.of("attempt-finished") if event["outcome"] != "passed"}
    assert other == {"second/never-up", "limits/tree"}


def test_higher_priorities_come_first_and_suites_in_one_go(seen: Seen) -> None:
    assert seen.executed[0] == "second/urgent"
    suites = [name.partition("/")[0] for name in seen.executed]
    assert suites == sorted(suites, key=suites.index)


def test_samples_are_done_in_their_order_one_after_the_other(seen: Seen) -> None:
    first = seen.executed.index("first/sampled#1")
    assert seen.executed[first : first + 3] == ["first/sampled#1", "first/sampled#2", "first/sampled#3"]


def test_reboots_have_a_count_or_a_key_for_each_script(seen: Seen) -> None:
    """Each is followed by the way back in. The tasks look at SPREAD_REBOOT."""
    assert [event["count"] for event in seen.of("reboot-requested", "second/counts")] == [1, 2]
    assert [event["count"] for event in seen.of("rebooted", "second/counts")] == [1, 2]
    assert [event["verb"] for event in seen.of("reboot-requested", "second/prepares")] == ["prepare"]


def test_more_than_ten_reboots_are_too_many(seen: Seen) -> None:
    assert len(seen.of("reboot-requested", "never-up")) == 11
    assert seen.outcome("never-up")["reason"] == "asked for more than 10 reboots"


def test_a_limit_kills_all_that_was_started(seen: Seen, lab: Any) -> None:
    assert (seen.outcome("limits/tree")["outcome"], seen.outcome("limits/tree")["reason"]) == (
        "timeout",
        "kill-timeout reached after 0.4s",
    )
    assert seen.of("running-late", "limits/tree")
    assert not [words for words in lab.hosts[0].processes().values() if "98765" in words]


def test_a_limit_of_minus_one_never_comes(seen: Seen) -> None:
    assert seen.outcome("limits/none")["duration_s"] >= 0.8
    assert seen.of("running-late", "limits/none") == []


def test_artifacts_are_files_directories_and_what_wildcards_match(seen: Seen, artifacts: Path) -> None:
    kept = artifacts / "lab:debian-12:second/leaves"
    assert sorted(str(path.relative_to(kept)) for path in kept.rglob("*") if path.is_file()) == [
        "logs/a.log",
        "logs/b.log",
        "results/one",
        "task.yaml",
    ]
    (fetched,) = seen.of("artifacts-fetched")
    assert (fetched["files"], fetched["missing"]) == (4, ["*.none", "absent"])


def test_shells_on_a_terminal(seen: Seen, lab: Any, on_terminal: Callable[..., Any]) -> None:
    """Before and after execute, and where something failed, by both programs."""
    (lab.project.root / "limits/none/task.yaml").unlink(missing_ok=True)  # its -1 is refused by spread, as by Spread
    person = on_terminal("spread", "-shell-before", "-shell-after", "first/a", of=lab.project)
    person.sees("Starting shell before executing lab:debian-12:first/a...")
    person.sees("lab:debian-12 .../a# ")
    person.types("stty size; echo $SPREAD_TASK; tty; touch by-hand; exit\r")
    person.sees("30 100\r\nfirst/a\r\n/dev/pts/")
    person.sees("Starting shell after executing lab:debian-12:first/a...")
    person.prompted()
    person.types("ls; exit 3\r")
    person.sees("by-hand  task.yaml")
    person.sees("Error running debug shell: ")
    assert person.ends() == 0

    person = on_terminal("spread", "-shell", "first/a", of=lab.project)
    person.sees("Starting shell instead of executing lab:debian-12:first/a...")
    person.prompted()
    person.types("exit\r")
    assert person.ends() == 0

    person = on_terminal("outspread", "run", "--debug", "limits/tree", of=lab.project)
    person.sees("shell after a failure of executing lab:debian-12:limits/tree")
    person.prompted()
    person.types("sh -c 'echo begin\"\"s; exec sleep 98765'\r")
    person.sees("begins\r\n")
    person.types("\x03")  # ends the sleep only
    person.prompted()
    person.types("pwd; exit\r")
    person.sees("/srv/made/limits/tree\r\n")
    assert person.ends() == 1
    assert lab.taken() == []


def test_a_large_tree_shows_how_far_it_is(seen: Seen, lab: Any) -> None:
    """The machine takes it slowly: what was sent so far is said, in every view, and is not all of it at once."""
    (lab.project.root / "data/large").write_bytes(random.randbytes(64_000_000))  # what can be packed is there at once
    disk = lab.hosts[0].disk
    tar = disk / "usr/bin/tar"
    tar.rename(disk / "usr/bin/real-tar")
    tar.write_text('#!/bin/sh\nsleep 6\nexec real-tar "$@"\n')
    tar.chmod(0o755)
    try:
        ended = lab.project.run("outspread", "run", "--json", "first/a")
    finally:
        (disk / "usr/bin/real-tar").rename(tar)
        (lab.project.root / "data/large").unlink()
    assert ended.code == 0, ended
    (progress,) = Seen(ended.out).of("content-progress")
    assert 0 < progress["sent_bytes"] < progress["total_bytes"]
    assert progress["total_bytes"] > 64_000_000
    assert 5 <= progress["took_s"] < 6.5
