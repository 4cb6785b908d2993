"""The rules of a session, each on a project of its own, run for real (specs/spread.md, sections 9 to 18)."""

import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

STAMP = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d ", re.MULTILINE)

TWO_SUITES = """\
project: made
path: /srv/made
backends:
    sandbox:
        systems:
            - this-host
suites:
    first/:
        summary: First
    second/:
        summary: Second
"""


def messages(ended: Any) -> str:
    """Return the log of ``spread`` without what differs from run to run."""
    text = re.sub(r"\(sandbox-\w+\)", "(LABEL)", STAMP.sub("", ended.out))
    return re.sub(r"sandbox:this-host \(LABEL\)", "SERVER", text)


def events(ended: Any, kind: str) -> list[dict[str, Any]]:
    return [event for event in map(json.loads, ended.out.splitlines()) if event["event"] == kind]


def executed(ended: Any) -> list[str]:
    """Return the names of tasks, with their samples, in the order in which they were executed."""
    found = [event for event in events(ended, "step-started") if event["verb"] == "execute"]
    return [event["job"].removeprefix("sandbox:this-host:") for event in found]


# --- timeouts -------------------------------------------------------------------------------------------------------


def test_warnings_say_what_is_new(project: Any) -> None:
    project.task(
        "slow",
        """\
warn-timeout: 200ms
kill-timeout: 20s
execute: |
    sleep 0.3
    for n in $(seq 20); do echo line $n; done
    sleep 0.5
""",
    )
    log = messages(project.run("spread"))
    late = "WARNING: SERVER (sandbox:this-host:tests/slow) running late. "
    assert f"{late}Current output:\n-----\n+ sleep 0.3\n-----\n.\n" in log
    shown = log.partition("lines above ...)\n")[2].partition("-----")[0]
    assert shown.splitlines()[-1] == "+ sleep 0.5"
    assert len(shown.splitlines()) == 10
    assert f"{late}Output unchanged.\n" in log
    assert "Successful tasks: 1" in log


def test_a_kill_timeout_is_a_failure_and_the_level_s_own_counts_first(project: Any) -> None:
    project.file("spread.yaml", (project.root / "spread.yaml").read_text() + "kill-timeout: 100ms\n")
    project.task("patient", "kill-timeout: 1m\nexecute: sleep 0.4\n")
    project.task("hasty", "execute: sleep 30\n")
    ended = project.run("spread")
    assert ended.code == 1
    assert "Error executing sandbox:this-host:tests/hasty (LABEL) : \n-----\n+ sleep 30\n<kill-timeout reached>\n" in messages(
        ended
    )
    assert "Successful tasks: 1" in ended.out


@pytest.mark.parametrize("never", ["-1", "-1ns"])
def test_a_timeout_of_minus_one_never_comes(project: Any, never: str) -> None:
    project.file("spread.yaml", (project.root / "spread.yaml").read_text() + "warn-timeout: 50ms\nkill-timeout: 100ms\n")
    project.task("endless", f"warn-timeout: {never}\nkill-timeout: {never}\nexecute: sleep 0.4\n")
    ended = project.run("outspread", "run", "-v")
    assert ended.code == 0, ended.out + ended.err
    assert "running late" not in ended.out


# --- reboot ---------------------------------------------------------------------------------------------------------


def test_reboots_have_a_count_or_a_key(project: Any) -> None:
    project.task(
        "keyed",
        """\
prepare: |
    [ $SPREAD_REBOOT = 0 ] && REBOOT
    test $SPREAD_REBOOT = 1
execute: |
    case $SPREAD_REBOOT in
        0) echo first; REBOOT ;;
        1) echo second; REBOOT last ;;
        last) echo third; exit 9 ;;
    esac
""",
    )
    log = messages(project.run("spread"))
    assert log.count("Rebooting on SERVER (sandbox:this-host:tests/keyed) as requested...") == 3
    trace = log.partition("Error executing")[2]
    assert re.search(
        r"^first$.*^<REBOOT>\n\n.*^second$.*^<REBOOT last>\n\n.*^third$.*^\+ exit 9$", trace, re.MULTILINE | re.DOTALL
    )


def test_more_than_ten_reboots_are_too_many(project: Any) -> None:
    project.task("never-done", "execute: REBOOT\n")
    ended = project.run("spread")
    assert ended.code == 1
    assert ended.out.count("as requested...") == 11
    assert "Failed tasks: 1" in ended.out


def test_a_reboot_that_the_restore_asks_for(project: Any) -> None:
    project.task("again", "execute: touch /srv/mark\nrestore: |\n    [ $SPREAD_REBOOT = 1 ] || REBOOT\n    rm /srv/mark\n")
    ended = project.run("spread")
    assert ended.code == 0, ended.out


# --- which job comes next -------------------------------------------------------------------------------------------


def test_samples_are_done_one_after_the_other_in_their_order(project: Any) -> None:
    project.task("one", "samples: 3\nexecute: 'true'\n")
    project.task("two", "samples: 2\nexecute: 'true'\n")
    for seed in ("1", "2", "3"):
        order = executed(project.run("outspread", "run", "--json", "--seed", seed))
        assert sorted(order) == ["tests/one#1", "tests/one#2", "tests/one#3", "tests/two#1", "tests/two#2"]
        assert [name for name in order if "one" in name] == ["tests/one#1", "tests/one#2", "tests/one#3"]
        assert order.index("tests/one#3") - order.index("tests/one#1") == 2


def test_higher_priorities_come_first(project: Any) -> None:
    for name, priority in (("low", -5), ("high", 100), ("middle", 0), ("higher", 101)):
        project.task(name, f"priority: {priority}\nexecute: 'true'\n")
    for seed in ("1", "2"):
        order = executed(project.run("outspread", "run", "--json", "--seed", seed))
        assert order == ["tests/higher", "tests/high", "tests/middle", "tests/low"]


def test_a_suite_is_finished_before_another_begins(project: Any) -> None:
    project.file("spread.yaml", TWO_SUITES)
    for number in range(6):
        suite = ("first", "second")[number % 2]
        project.file(f"{suite}/t{number}/task.yaml", "summary: t\nexecute: 'true'\n")
    for seed in ("1", "2", "3"):
        order = executed(project.run("outspread", "run", "--json", "--seed", seed))
        suites = [name.partition("/")[0] for name in order]
        assert suites in (["first"] * 3 + ["second"] * 3, ["second"] * 3 + ["first"] * 3)


def test_the_given_order_leaves_priorities_aside(project: Any) -> None:
    for name, priority in (("a", 0), ("b", 9), ("c", 5)):
        project.task(name, f"priority: {priority}\nexecute: 'true'\n")
    for program in (("outspread", "run", "--order", "given", "--json"),):
        assert executed(project.run(*program)) == ["tests/a", "tests/b", "tests/c"]
    log = project.run("spread", "-order").out
    assert re.findall(r"Executing sandbox:this-host:tests/(\w)", log) == ["a", "b", "c"]
    assert "-seed=" not in log


def test_a_repeat_stops_at_the_first_failure(project: Any) -> None:
    project.task(
        "third",
        "prepare: echo x >> /srv/passes\nexecute: test $(wc -l < /srv/passes) -lt 3\nrestore: echo again >> /srv/restores\n",
    )
    ended = project.run("spread", "-repeat", "9")
    assert ended.code == 1
    assert ended.out.count("Executing") == 3
    assert ended.out.count("(1/1)...") == 3
    assert ended.out.count("Restoring sandbox:this-host:tests/third") == 3
    assert "Successful tasks: 2" in ended.out
    assert "Failed tasks: 1" in ended.out


def test_artifacts_of_a_repeat_are_those_of_the_last_pass(project: Any, tmp_path: Path) -> None:
    project.task("counts", "execute: echo x >> /srv/n; wc -l < /srv/n > result\nartifacts: [result]\n")
    ended = project.run("spread", "-repeat", "2", "-artifacts", str(tmp_path / "got"))
    assert ended.out.count("Fetching artifacts") == 1
    assert (tmp_path / "got/sandbox:this-host:tests/counts/result").read_text() == "3\n"


def test_more_jobs_than_the_limit_are_not_run_but_listed(project: Any) -> None:
    project.file("spread.yaml", (project.root / "spread.yaml").read_text() + "tasks-limit: 2\n")
    for name in ("a", "b", "c"):
        project.task(name, "execute: 'true'\n")
    for program in (("spread",), ("outspread", "run")):
        ended = project.run(*program)
        assert ended.code == 1
        assert ended.err.startswith("error: cannot run 3 jobs: tasks-limit of the project is 2\n")
        assert ended.out == ""
    assert project.run("spread", "-list").out.count("\n") == 3
    assert project.run("spread", "tests/a", "tests/b").code == 0


def test_sessions_are_those_of_the_project_or_as_many_as_asked_for(project: Any, with_workers: Callable[[int], None]) -> None:
    with_workers(2)
    project.task("many", "samples: 6\nexecute: sleep 0.2\n")
    for arguments, count in (((), 2), (("--workers", "3"), 3), (("--workers", "50"), 6)):
        ended = project.run("outspread", "run", "--json", *arguments)
        assert len(events(ended, "machine-connected")) == count
        assert events(ended, "run-started")[0]["sessions"] == count


# --- what is left out -----------------------------------------------------------------------------------------------


def test_tasks_and_suites_are_skipped_with_their_reason(project: Any) -> None:
    project.file("spread.yaml", TWO_SUITES.replace("Second", "Second\n        skip: [{if: 'true', reason: no network}]"))
    project.file(
        "first/off/task.yaml",
        "summary: o\nskip:\n  - {if: 'false', reason: wrong}\n  - {if: test $X = 1, reason: too old}\n"
        "environment: {X: 1}\nprepare: touch /srv/prepared\nexecute: 'false'\n",
    )
    project.file(
        "first/on/task.yaml", "summary: o\nskip: [{if: test -e nothing, reason: never}]\nexecute: test ! -e /srv/prepared\n"
    )
    project.file("second/any/task.yaml", "summary: a\nexecute: 'false'\n")
    ended = project.run("spread")
    assert ended.code == 0, ended.out
    log = messages(ended)
    assert "Checking sandbox:this-host:first/off (LABEL)..." in log
    assert "Skipping sandbox:this-host:first/off (LABEL)..." in log
    assert "Checking sandbox:this-host:second/ (LABEL)..." in log
    assert "Skipping sandbox:this-host:second/any (LABEL)..." in log
    assert "Successful tasks: 1" in log
    assert (
        "Skipped tasks: 2\n    - sandbox:this-host:first/off - too old\n    - sandbox:this-host:second/any - no network\n" in log
    )
    assert "Skipped suites: 1\n    - sandbox:this-host:second/ - no network\n" in log


def test_a_task_without_execute_passes_silently(project: Any) -> None:
    project.task("nothing", "restore: touch /srv/restored\n")
    ended = project.run("spread")
    assert ended.code == 0
    assert "Executing" not in ended.out
    assert "Successful tasks: 1" in ended.out


# --- artifacts ------------------------------------------------------------------------------------------------------


def test_artifacts_by_name_by_pattern_and_what_is_missing(project: Any, tmp_path: Path) -> None:
    project.task(
        "leaves",
        """\
execute: |
    mkdir -p logs/deep results
    touch logs/a.log logs/b.log logs/deep/c.txt results/one results/two
    ln -s /etc/passwd outside
    false
artifacts: ["logs/*.log", results, "*.none", absent, outside]
""",
    )
    ended = project.run("spread", "-v", "-artifacts", str(tmp_path / "got"))
    assert ended.code == 1
    kept = tmp_path / "got/sandbox:this-host:tests/leaves"
    assert sorted(str(path.relative_to(kept)) for path in kept.rglob("*") if path.is_file()) == [
        "logs/a.log",
        "logs/b.log",
        "results/one",
        "results/two",
    ]
    log = messages(ended)
    assert "Fetching artifacts of sandbox:this-host:tests/leaves..." in log
    missing = re.search(r"^Artifacts of sandbox:this-host:tests/leaves that are not there: (.*)$", log, re.MULTILINE)
    assert missing is not None
    assert missing[1].startswith("*.none, absent")
    assert "outside (it is no file, or leads outside)" in missing[1]
    shown = project.run("outspread", "run", "--artifacts", str(tmp_path / "again"))
    assert "artifacts that are not there: *.none, absent" in shown.out


def test_artifacts_are_fetched_when_prepare_failed_but_not_when_restoring(project: Any, tmp_path: Path) -> None:
    project.task("early", "prepare: touch made; false\nexecute: 'true'\nartifacts: [made]\n")
    project.run("spread", "-artifacts", str(tmp_path / "got"))
    assert (tmp_path / "got/sandbox:this-host:tests/early/made").is_file()
    ended = project.run("spread", "-restore", "-artifacts", str(tmp_path / "none"))
    assert "Fetching" not in ended.out


def test_suites_and_the_project_have_artifacts_too(project: Any, tmp_path: Path) -> None:
    text = (project.root / "spread.yaml").read_text().replace("Made for a test", "Made\n        artifacts: [suite.txt]")
    project.file("spread.yaml", text + "artifacts: [project.txt]\n")
    project.task("writes", "execute: echo s > ../suite.txt; echo p > ../../project.txt\n")
    ended = project.run("spread", "-artifacts", str(tmp_path / "got"))
    assert ended.code == 0, ended.out
    assert (tmp_path / "got/sandbox:this-host:tests/suite.txt").read_text() == "s\n"
    assert (tmp_path / "got/project.txt").read_text() == "p\n"


# --- failures of each level -----------------------------------------------------------------------------------------


def with_scripts(project: Any, **scripts: str) -> None:
    """Write a project whose project, backend or suite has ``LEVEL_VERB`` scripts."""
    level: dict[str, list[str]] = {"project": [], "backend": [], "suite": []}
    for name, script in scripts.items():
        owner, _, verb = name.partition("_")
        level[owner].append(f"{verb.replace('_', '-')}: |\n{{indent}}    {script}\n")
    text = "project: made\npath: /srv/made\n" + "".join(line.replace("{indent}", "") for line in level["project"])
    text += "backends:\n    sandbox:\n        systems: [this-host]\n"
    text += "".join("        " + line.replace("{indent}", "        ") for line in level["backend"])
    text += "suites:\n    tests/:\n        summary: s\n"
    text += "".join("        " + line.replace("{indent}", "        ") for line in level["suite"])
    project.file("spread.yaml", text)


@pytest.mark.parametrize(
    ("scripts", "expected"),
    [
        ({"project_prepare": "false"}, ["Aborted tasks: 2", "Failed project prepare: 1\n    - sandbox:this-host:project"]),
        ({"backend_prepare": "false"}, ["Aborted tasks: 2", "Failed backend prepare: 1\n    - sandbox:this-host:sandbox"]),
        ({"suite_prepare": "false"}, ["Aborted tasks: 2", "Failed suite prepare: 1\n    - sandbox:this-host:tests/"]),
        (
            {"suite_prepare_each": "false"},
            ["Aborted tasks: 2", "Failed task prepare: 2\n    - sandbox:this-host:tests/a\n    - sandbox:this-host:tests/b"],
        ),
        (
            {"project_restore_each": "false"},
            ["Successful tasks: 1", "Aborted tasks: 1", "Failed task restore: 1\n    - sandbox:this-host:tests/"],
        ),
        ({"suite_restore": "false"}, ["Successful tasks: 2", "Failed suite restore: 1\n    - sandbox:this-host:tests/"]),
        ({"backend_restore": "false"}, ["Successful tasks: 2", "Failed backend restore: 1\n    - sandbox:this-host:sandbox"]),
        ({"project_restore": "false"}, ["Successful tasks: 2", "Failed project restore: 1\n    - sandbox:this-host:project"]),
    ],
)
def test_what_each_failure_is_counted_as(project: Any, scripts: dict[str, str], expected: list[str]) -> None:
    with_scripts(project, **scripts)
    project.task("a", "execute: 'true'\n")
    project.task("b", "execute: 'true'\n")
    ended = project.run("spread")
    assert ended.code == 1
    assert ended.err == "error: unsuccessful run\n"
    for text in expected:
        assert text in messages(ended), ended.out


def test_levels_are_entered_once_and_left_in_turn(project: Any) -> None:
    verbs = ("prepare", "restore", "prepare_each", "restore_each")
    with_scripts(
        project,
        **{
            f"{level}_{verb}": f"echo {level} {verb} >> /srv/trail" for level in ("project", "backend", "suite") for verb in verbs
        },
    )
    for name in ("a", "b"):
        project.task(
            name, "prepare: echo task >> /srv/trail\nexecute: echo execute >> /srv/trail\nrestore: echo task >> /srv/trail\n"
        )
    project.file("tests/b/task.yaml", (project.root / "tests/b/task.yaml").read_text() + "priority: -1\n")
    spread = (project.root / "spread.yaml").read_text()
    project.file("spread.yaml", spread.replace("echo project restore >> /srv/trail", "cat /srv/trail; exit 1"))
    log = project.run("spread").out
    trail = log.partition("+ cat /srv/trail\n")[2].partition("+ exit 1")[0].splitlines()
    each = ["project prepare_each", "backend prepare_each", "suite prepare_each", "task", "execute"]
    each += ["task", "suite restore_each", "backend restore_each", "project restore_each"]
    assert trail == ["project prepare", "backend prepare", "suite prepare", *each, *each, "suite restore", "backend restore"]


def test_debug_scripts_speak_for_their_level(project: Any) -> None:
    with_scripts(
        project,
        project_debug_each="echo of-project",
        suite_debug_each="echo of-suite",
        suite_restore="false",
        suite_debug="echo own",
    )
    project.task("a", "execute: 'false'\ndebug: echo of-task\nrestore: 'true'\n")
    log = messages(project.run("spread"))
    debug = log.partition("Debug output for sandbox:this-host:tests/a (LABEL) :")[2].partition("-----\n.\n")[0]
    assert re.findall(r"^of-\w+", debug, re.MULTILINE) == ["of-task", "of-suite", "of-project"]
    assert "Debug output for sandbox:this-host:tests/ (LABEL) :" in log
    assert "Error debugging" not in log


def test_a_debug_script_that_fails_is_said(project: Any) -> None:
    project.task("a", "execute: 'false'\ndebug: echo broken; false\n")
    log = messages(project.run("spread"))
    assert "Error debugging sandbox:this-host:tests/a (LABEL) : \n-----\n+ echo broken\nbroken\n+ false\n-----\n.\n" in log


def test_an_error_in_the_author_s_words_has_no_trace(project: Any) -> None:
    project.task("a", "execute: |\n    echo noise\n    ERROR it rains\n")
    assert "Error executing sandbox:this-host:tests/a (LABEL) : it rains\n" in messages(project.run("spread"))


def test_a_failure_without_output_says_its_cause(project: Any) -> None:
    project.task("a", "execute: '{ set +x; } 2>/dev/null; exec 2>/dev/null; kill -9 $$'\n")
    log = messages(project.run("spread"))
    assert re.search(r"Error executing sandbox:this-host:tests/a \(LABEL\) : .*(kill -9|signal 9)", log, re.DOTALL)


# --- what is shown --------------------------------------------------------------------------------------------------


def test_live_output_comes_while_the_script_runs(project: Any) -> None:
    project.task("slow", "execute: |\n    echo early\n    until test -e /srv/go; do sleep 0.02; done\n")
    with project.start("outspread", "run", "--live") as process:
        lines = []
        while "early" not in lines:
            lines.append(process.stdout.readline().rstrip("\n"))
            assert lines[-1] or len(lines) < 50
        assert process.poll() is None
        process.terminate()
        process.communicate(timeout=20)


def test_live_output_of_several_sessions_says_whose_it_is(project: Any, with_workers: Callable[[int], None]) -> None:
    with_workers(2)
    for name in ("a", "b"):
        project.task(
            name, f"execute: |\n    printf '\\033[31mred {name}\\033[0m\\n'\n    printf unended-{name}\n    test {name} = a\n"
        )
    ended = project.run("outspread", "run", "--live")
    assert ended.code == 1
    for name in ("a", "b"):
        assert f"sandbox:this-host:tests/{name} | red {name}\n" in ended.out
        assert f"sandbox:this-host:tests/{name} | unended-{name}" in ended.out
    assert "FAILED sandbox:this-host:tests/b: execute failed: exit code 1" in ended.out
    log = project.run("spread", "-live")
    assert "sandbox:this-host:tests/a | \x1b[31mred a\x1b[0m\n" in log.out
    assert "Error executing sandbox:this-host:tests/b" in log.out


def test_live_output_is_whole_and_numbered_but_for_a_flood(project: Any) -> None:
    project.task(
        "counts",
        "execute: |\n    for n in 1 2 3; do echo part $n; sleep 0.15; done\n    { set +x; } 2>/dev/null\n    seq 100000\n",
    )
    ended = project.run("outspread", "run", "--live", "--json")
    pieces = [event for event in events(ended, "step-output") if event["verb"] == "execute"]
    assert [piece["piece"] for piece in pieces] == list(range(1, len(pieces) + 1))
    assert len(pieces) >= 3
    text = "".join(piece["text"] for piece in pieces)
    assert [line for line in text.splitlines() if line.startswith("part")] == ["part 1", "part 2", "part 3"]
    assert text.endswith("\n100000\n")


def test_very_verbose_shows_the_output_of_what_passed(project: Any) -> None:
    project.task("good", "execute: echo quiet words\n")
    assert "quiet words" not in project.run("spread").out
    log = messages(project.run("spread", "-vv"))
    assert (
        "Output of executing sandbox:this-host:tests/good (LABEL) : \n-----\n+ echo quiet words\nquiet words\n-----\n.\n" in log
    )


def test_perf_times_lines_and_a_failure_stays_one(project: Any) -> None:
    project.task("bad", "execute: |\n    [ $SPREAD_REBOOT = 1 ] || REBOOT\n    echo said\n    false\n")
    project.task("text", "execute: ERROR in words\n")
    ended = project.run("spread", "-perf")
    assert ended.code == 1
    assert re.search(r"^\d\d:\d\d:\d\d\.\d{3} said$", ended.out, re.MULTILINE)
    assert ended.out.count("as requested...") == 1
    assert "Error executing sandbox:this-host:tests/text" in ended.out
    assert ": in words\n" in ended.out
    assert "Failed tasks: 2" in ended.out


def test_debug_output_goes_to_the_logs(project: Any, tmp_path: Path) -> None:
    project.task("bad", "execute: |\n    printf 'caf\\351\\n'\n    false\ndebug: echo looked around\n")
    ended = project.run("spread", "-no-debug-output", "-logs", str(tmp_path / "logs"))
    assert "looked around" not in ended.out
    logs = {str(path.relative_to(tmp_path / "logs")): path.read_bytes() for path in (tmp_path / "logs").rglob("*.log")}
    assert logs.keys() == {"sandbox:this-host:tests/bad.log", "sandbox:this-host:tests/bad.debug.log"}
    assert b"looked around" in logs["sandbox:this-host:tests/bad.debug.log"]
    assert b"caf\xe9\n" in logs["sandbox:this-host:tests/bad.log"]
    assert "looked around" in project.run("spread", "-logs", str(tmp_path / "logs")).out


def test_the_json_report_of_spread_plus(project: Any, tmp_path: Path) -> None:
    project.file("spread.yaml", (project.root / "spread.yaml").read_text() + "prepare: 'true'\n")
    project.task("good", "execute: 'true'\nenvironment: {A/one: 1, A/two: 2}\n")
    project.task("bad", "prepare: 'true'\nexecute: 'false'\n")
    project.task("off", "skip: [{if: 'true', reason: no}]\nexecute: 'true'\n")
    ended = project.run("spread", "-json", "report.json")
    assert ended.code == 1
    report = json.loads((project.root / "report.json").read_text())
    found = {(item["level"], item["verb"], item["name"], item["variant"]): item for item in report["items"]}
    assert found["project", "preparing", "made", ""]["success"]
    assert found["task", "executing", "tests/good", "two"]["success"]
    assert not found["task", "executing", "tests/bad", ""]["success"]
    assert found["task", "", "tests/off", ""]["skipped"]
    item = found["task", "executing", "tests/bad", ""]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}", item["start"])
    assert (item["backend"], item["system"], item["aborted"]) == ("sandbox", "this-host", False)
    assert item["instance"].startswith("sandbox-")
    results = report["results"]
    assert (results["task-passed"], results["task-failed"], results["task-skipped"], results["task-aborted"]) == (2, 1, 1, 0)
    assert results["project-restore-failed"] == 0


def test_the_seed_is_announced_only_when_it_was_chosen_and_matters(project: Any) -> None:
    for name in ("a", "b"):
        project.task(name, "execute: 'true'\n")
    assert "Sequence of jobs produced with -seed=" in project.run("spread").out
    assert "-seed=" not in project.run("spread", "-seed", "3").out
    assert "-seed=" not in project.run("spread", "-workers", "2").out


def test_travis_folds(project: Any) -> None:
    project.task("bad", "execute: |\n    echo one\n    false\n")
    log = project.run("spread", env={"TRAVIS": "true"}).out
    assert re.search(r"^travis_time:start:(\w+)\n.*^travis_time:end:\1:", log, re.MULTILINE | re.DOTALL)
    assert re.search(r"^travis_fold:start:(\w+)\n.*^travis_fold:end:\1\n\.\n", log, re.MULTILINE | re.DOTALL)


def test_machines_that_are_not_to_be_had_abort_their_jobs(project: Any) -> None:
    project.file(
        "spread.yaml",
        (project.root / "spread.yaml").read_text().replace("this-host:", "other-1:\n                image: /nowhere"),
    )
    project.task("a", "execute: 'true'\n")
    began = time.monotonic()
    ended = project.run("spread")
    assert time.monotonic() - began < 20
    assert ended.code == 1
    assert "Allocating sandbox:other-1..." in ended.out
    assert "Cannot allocate sandbox:other-1: " in ended.out
    assert "Aborted tasks: 1" in ended.out
