"""A script such as continuous integration has around Spread runs with our ``spread`` as it is."""

from collections.abc import Callable
from typing import Any

# What such scripts do: a matrix of jobs, runs of each, the log taken apart by line, what failed looked at, machines given back.
CI_SCRIPT = r"""#!/bin/bash
set -euo pipefail
fail() { echo "CI: $*"; exit 99; }
work=$(mktemp -d)
trap 'echo "CI: line $LINENO"; cat "$work/log"' ERR
trap 'rm -rf "$work"' EXIT
now='^[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2} '

# --- the matrix: the systems, and the tasks of each
mapfile -t systems < <(spread -list lab: | awk -F: '{ print $1 ":" $2 }' | sort -u)
test "${systems[*]}" = lab:debian-12 || fail "systems: ${systems[*]}"
matrix=$(spread -list "${systems[0]}:tests/" | sed 's/.*/"&"/' | paste -sd, -)
test "$matrix" = '"lab:debian-12:tests/bad","lab:debian-12:tests/good","lab:debian-12:tests/slow"' || fail "matrix: $matrix"

# --- everything, with a seed to do it again by
if spread -seed 7 -artifacts "$work/artifacts" "${systems[@]}" > "$work/log" 2> "$work/errors"; then
    fail "a failing task did not fail the run"
fi
test "$(tail -n 1 "$work/errors")" = "error: unsuccessful run" || fail "$(cat "$work/errors")"
! grep -q 'Sequence of jobs produced' "$work/log" || fail "the seed was announced"

# --- the summary, with awk
read -r passed aborted < <(awk '/Successful tasks: /{ p = $NF } /Aborted tasks: /{ a = $NF } END { print p, a }' "$work/log")
test "$passed,$aborted" = 2,0 || fail "passed,aborted: $passed,$aborted"
failed=$(awk '/ Failed tasks: /{ on = 1; next } /^[0-9]/{ on = 0 } on && /^    - /{ print $2 }' "$work/log")
test "$failed" = lab:debian-12:tests/bad || fail "failed: $failed"

# --- what failed, and why, as log parsers look for it
phase="$now(Preparing|Executing|Restoring) lab:debian-12:tests/[a-z]+ \(lab:debian-12\)( \([0-9]+/[0-9]+\))?\.\.\.$"
phases=$(grep -cE "$phase" "$work/log")
test "$phases" = 7 || fail "phases: $phases"
error=$(sed -nE "/${now}Error executing lab:debian-12:tests\/bad \(lab:debian-12\) : $/,/^\.$/p" "$work/log" | sed '1,2d')
test "$error" = $'+ echo evidence\n+ echo evidence\nevidence\n+ false\n-----\n.' || fail "error: $error"
grep -A 99 'Debug output for lab:debian-12:tests/bad' "$work/log" | grep -q '^look here$' || fail "no debug output"
(cd "$work/artifacts/lab:debian-12:tests/good" && test "$(cat out.txt)" = one) || fail "no artifacts"

# --- a flaky one, again and again
spread -repeat 3 tests/good > "$work/log"
grep -qE "${now}Successful tasks: 4$" "$work/log" || fail "not repeated"
grep -qE "${now}Discarding lab:debian-12\.\.\.$" "$work/log" || fail "not discarded"

# --- a build that was killed: its machine is used once more, then given back
spread tests/slow > "$work/log" &
pid=$!
until grep -q ' Executing ' "$work/log"; do sleep 0.1; done
grep -q "If killed, discard servers with: spread -reuse-pid=$pid -discard" "$work/log" || fail "it does not say how"
kill -9 $pid
wait $pid 2> /dev/null || true
spread -reuse-pid $pid -resend tests/good > "$work/log"
grep -qE "${now}Reusing lab:debian-12\.\.\.$" "$work/log" || fail "not used again"
grep -qE "${now}Discarding lab:debian-12\.\.\.$" "$work/log" || fail "not given back after that"

# --- the same, given back at once
spread tests/slow > "$work/log" &
pid=$!
until grep -q ' Executing ' "$work/log"; do sleep 0.1; done
kill -9 $pid
wait $pid 2> /dev/null || true
$(sed -nE 's/.*If killed, discard servers with: //p' "$work/log") > "$work/log"
grep -qE "${now}Discarding lab:debian-12\.\.\.$" "$work/log" || fail "not given back"

# --- a person looks at what failed, on a machine that is kept
spread -reuse -debug tests/bad || true
spread -reuse tests/good > "$work/log"
grep -qE "${now}Reusing project data on lab:debian-12\.\.\.$" "$work/log" || fail "not kept"
echo two > tests/good/version
spread -reuse -artifacts "$work/kept" tests/good > "$work/log"
spread -reuse -resend -artifacts "$work/resent" tests/good > "$work/log"
test "$(cat "$work"/{kept,resent}/*/good/out.txt | paste -sd,)" = one,two || fail "content was not sent when it should be"
spread -reuse -restore > "$work/log"
spread -discard > "$work/log"
grep -qE "${now}Discarding lab:debian-12\.\.\.$" "$work/log" || fail "kept machine not given back"
echo "CI: done"
"""


def test_it_runs_unchanged(lab: Callable[[int], Any], on_terminal: Callable[..., Any]) -> None:
    one = lab(1)
    one.project.task("good", "execute: cp version out.txt\nrestore: rm -f out.txt\nartifacts: [out.txt]\n")
    one.project.file("tests/good/version", "one\n")
    one.project.task(
        "bad", "execute: |\n    echo evidence > left; echo evidence\n    false\ndebug: echo look here\nrestore: rm -f left\n"
    )
    # it is slow from its second run on
    one.project.task("slow", "prepare: 'true'\nexecute: '[ ! -e /srv/again ] || sleep 98765'\nrestore: touch /srv/again\n")
    script = one.directory / "ci.sh"
    script.write_text(CI_SCRIPT)
    script.chmod(0o755)
    person = on_terminal(str(script))
    person.sees("lab:debian-12 .../bad# ", within_s=30)
    person.types("cat left; pwd; exit\r")
    person.sees("evidence\r\n/srv/made/tests/bad\r\n")
    person.sees("CI: ", within_s=30)
    assert person.ends() == 0, person.text
    assert person.text.endswith("CI: done\n")
    assert one.taken() == []
    assert one.notes() == [".spread-reuse.yaml"]
