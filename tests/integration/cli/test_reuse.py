"""Machines that outlive a run: kept, used again, given back; by Outspread and by Spread's own flags."""

import json
import stat
from collections.abc import Callable
from typing import Any

import pytest

MakeLab = Callable[[int], Any]

SPREADS_SCRIPT = r"""#!/bin/bash
# What people have around Spread: run a part, look at the summary, fetch artifacts, go on, give machines back.
set -eu
log=$(mktemp)
trap 'rm -f "$log"; spread -discard -reuse > /dev/null' EXIT
spread -reuse -pass "$1" -artifacts artifacts lab:debian-12:tests/good > "$log" || { cat "$log"; exit 10; }
grep -q '^[0-9-]* [0-9:]* Successful tasks: 1$' "$log"
grep -q '^[0-9-]* [0-9:]* Keeping lab:debian-12 at ' "$log"
test "$(cat artifacts/lab:debian-12:tests/good/out.txt)" = hello
if spread -reuse -resend tests/ > "$log"; then
    echo "a failing task did not fail the run"; exit 11
fi
failed=$(sed -n '/Failed tasks: /,/^[0-9]/s/^    - //p' "$log")
test "$failed" = lab:debian-12:tests/bad
grep -q 'Reusing lab:debian-12\.\.\.' "$log"
for job in $(spread -list tests/good); do
    spread -reuse "$job" > "$log"
    grep -q 'Reusing project data on lab:debian-12\.\.\.' "$log"
done
echo done
"""


def entries_of(project: Any) -> list[str]:
    """Return the addresses in the project's reuse file."""
    text = (project.root / ".spread-reuse.yaml").read_text()
    return [line.split()[1] for line in text.splitlines() if line.strip().startswith("address: ")]


def test_a_script_written_for_spread_runs_unchanged(lab: MakeLab) -> None:
    one = lab(1)
    one.project.task("good", "execute: echo hello > out.txt\nartifacts: [out.txt]\n")
    one.project.task("bad", "execute: 'false'\n")
    script = one.directory / "around.sh"
    script.write_text(SPREADS_SCRIPT)
    script.chmod(0o755)
    ended = one.project.run(str(script), "pw")
    assert (ended.code, ended.out, ended.err) == (0, "done\n", "error: unsuccessful run\n")
    assert one.taken() == []
    assert one.notes() == [".spread-reuse.yaml"]
    assert (one.project.root / ".spread-reuse.yaml").read_text() == "backends: {}\n"


def test_machines_are_kept_used_again_and_given_back(lab: MakeLab) -> None:
    one = lab(2)
    one.write(workers=1)
    one.project.task("where", "execute: hostname; [ ! -e mark ]; touch mark\n")
    first = one.project.run("outspread", "run", "--reuse")
    assert first.code == 0, first.out
    address = one.hosts[0].spread_address
    assert f"lab:debian-12 ({address}): kept at {address}" in first.out
    assert "if killed" not in first.out
    note = one.project.root / ".spread-reuse.yaml"
    assert stat.S_IMODE(note.stat().st_mode) == 0o600
    assert entries_of(one.project) == one.taken() == [address]

    again = one.project.run("outspread", "run", "--reuse", "-v")
    assert again.code == 1  # the mark is still there
    assert f"lab:debian-12 ({address}): using the project that is there" in again.out
    resent = one.project.run("outspread", "run", "--reuse", "--resend")
    assert resent.code == 0
    assert one.taken() == [address]

    (run, *_) = json.loads(one.project.run("outspread", "history", "--json").out)
    assert f"kept  lab:debian-12 ({address})" in one.project.run("outspread", "history", run["run_id"]).out

    given_back = one.project.run("outspread", "discard")
    assert (given_back.code, given_back.out) == (0, f"lab:debian-12 ({address}): given back\n")
    assert one.taken() == entries_of(one.project) == []
    assert one.project.run("outspread", "discard").err == "nothing to discard\n"


def test_more_workers_than_kept_machines_get_more(lab: MakeLab) -> None:
    one = lab(3)
    for number in range(3):
        one.project.task(f"t{number}", "execute: sleep 0.5\n")
    one.write(workers=1)
    assert one.project.run("spread", "-reuse", "tests/t0").code == 0
    ended = one.project.run("spread", "-reuse", "-workers", "3")
    assert ended.code == 0
    assert ended.out.count("Reusing lab:debian-12...") == 1
    assert ended.out.count("Allocated lab:debian-12.") == 2
    assert len(entries_of(one.project)) == 3
    one.write(workers=1)
    ended = one.project.run("spread", "-discard", "tests/t0")  # as many as match, not one for each worker
    assert ended.code == 0
    assert ended.out.count("Discarding lab:debian-12...") == 3
    assert one.taken() == entries_of(one.project) == []


def test_discard_takes_a_filter(lab: MakeLab) -> None:
    one = lab(1)
    one.project.task("t", "execute: 'true'\n")
    assert one.project.run("outspread", "run", "--reuse").code == 0
    with (one.project.root / ".spread-reuse.yaml").open("a") as file:
        file.write("  other:\n    systems:\n    - debian-12:\n        address: h9\n")
    assert one.project.run("outspread", "discard", "lab:").out.count("given back") == 1
    assert entries_of(one.project) == ["h9"]
    ended = one.project.run("outspread", "discard")
    assert ended.code == 1
    assert "the project has no system other:debian-12 any more" in ended.err
    assert entries_of(one.project) == ["h9"]


def test_spreads_machines_of_a_process_are_used_and_given_back(lab: MakeLab) -> None:
    one = lab(1)
    address = one.hosts[0].spread_address
    (one.directory / "taken" / address).touch()
    machine = f"    - debian-12:\n        password: {one.hosts[0].password}\n        address: {address}\n"
    one.project.file(".spread-reuse.77.yaml", f"backends:\n  lab:\n    systems:\n{machine}")
    one.project.task("t", "execute: 'true'\n")
    ended = one.project.run("spread", "-reuse-pid", "77")
    assert ended.code == 0
    assert "Allocating" not in ended.out
    assert "Discarding lab:debian-12..." in ended.out
    assert one.taken() == one.notes() == []


def test_a_kept_machine_that_is_gone_is_left_and_another_one_got(lab: MakeLab) -> None:
    one = lab(2)
    one.write(workers=1)
    one.project.task("t", "execute: 'true'\n")
    assert one.project.run("outspread", "run", "--reuse").code == 0
    one.hosts[0].kill()
    ended = one.project.run("spread", "-reuse")
    assert ended.code == 0, ended.out
    assert "Machine of lab:debian-12 failed: cannot connect to root@" in ended.out
    assert sorted(entries_of(one.project)) == one.taken() == sorted(host.spread_address for host in one.hosts)


def test_content_that_was_half_sent_is_sent_again(lab: MakeLab) -> None:
    one = lab(1)
    disk = one.hosts[0].disk
    (disk / "usr/bin/tar").rename(disk / "usr/bin/real-tar")
    (disk / "usr/bin/tar").write_text("#!/bin/sh\necho half > half\ntouch /at-send\nexec sleep 98765\n")
    (disk / "usr/bin/tar").chmod(0o755)
    one.project.task("t", "execute: '[ ! -e ../../half ]'\n")
    with one.project.start("spread", "-reuse") as process:
        while not (disk / "at-send").exists():
            assert process.poll() is None
        process.kill()
        process.communicate(timeout=20)
    (disk / "usr/bin/real-tar").rename(disk / "usr/bin/tar")
    assert one.project.run("outspread", "discard", "--orphans").err == "nothing to discard\n"  # it is to be kept
    ended = one.project.run("spread", "-reuse")
    assert ended.code == 0, ended.out
    assert "Reusing lab:debian-12..." in ended.out
    assert "Sending project content to lab:debian-12..." in ended.out


def test_a_run_waits_for_the_one_that_has_the_machines(lab: MakeLab) -> None:
    one = lab(1)
    disk = one.hosts[0].disk
    one.project.task("t", "execute: touch /begun; while [ ! -e /enough ]; do sleep 0.1; done\n")
    with one.project.start("spread", "-reuse") as first:
        while not (disk / "begun").exists():
            assert first.poll() is None
        with one.project.start("spread", "-discard") as second:
            assert second.stdout is not None
            line = second.stdout.readline()
            assert line.endswith("Waiting for another process to release reuse lock.\n")
            (disk / "enough").touch()
            assert "Discarding lab:debian-12..." in second.communicate(timeout=30)[0]
        first.communicate(timeout=30)
    assert (first.returncode, second.returncode) == (0, 0)
    assert one.taken() == []


def test_abend_keeps_what_it_stopped_for(lab: MakeLab) -> None:
    one = lab(1)
    one.project.task("bad", "execute: touch /evidence; false\nrestore: rm /evidence\n")
    ended = one.project.run("outspread", "run", "--abend", "--reuse")
    assert ended.code == 1
    assert (one.hosts[0].disk / "evidence").exists()
    assert one.taken() == [one.hosts[0].spread_address]
    assert "given back" not in ended.err
    assert one.project.run("outspread", "discard").code == 0


def test_gc_finds_what_killed_runs_of_the_project_left(lab: MakeLab) -> None:
    one = lab(1)
    disk = one.hosts[0].disk
    one.project.task("long", "execute: touch /begun; sleep 98765\n")
    with one.project.start("spread") as process:
        while not (disk / "begun").exists():
            assert process.poll() is None
        process.kill()
        process.communicate(timeout=20)
    assert one.taken() != []
    ended = one.project.run("spread", "-gc")
    assert (ended.code, ended.err) == (0, "")
    assert "Discarding lab:debian-12" in ended.out
    assert one.taken() == one.notes() == []


def test_two_machines_at_one_address_are_an_error(project: Any) -> None:
    machine = "    - debian-12:\n        address: h1\n"
    project.file(".spread-reuse.yaml", f"backends:\n  lab:\n    systems:\n{machine}{machine}")
    project.task("t", "execute: 'true'\n")
    ended = project.run("spread", "-discard")
    assert ended.code == 1
    assert "lab:debian-12 and lab:debian-12 have the same address h1" in ended.err


def test_sandboxes_cannot_be_kept(project: Any) -> None:
    project.task("t", "execute: 'true'\n")
    for program, flag in (("outspread", "--reuse"), ("spread", "-reuse")):
        words = [program, "run", flag] if program == "outspread" else [program, flag]
        ended = project.run(*words)
        assert ended.code == 1
        assert "cannot keep machines of sandbox: they end with the process that made them" in ended.err
    assert not list(project.root.glob(".spread-reuse*"))


@pytest.mark.parametrize(
    "line", ["discard --run x --orphans", "discard --orphans tests/", "discard --reuse-pid 0", "run --resend"]
)
def test_what_makes_no_sense_is_refused(project: Any, line: str) -> None:
    assert project.run("outspread", *line.split()).code == 2
