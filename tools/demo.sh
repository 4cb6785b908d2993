#!/bin/sh
# demo.sh BIN: run examples/hello, in which one job passes and one fails on purpose; succeeds when just that happened.
set -u
bin=$1
case $bin in /*) ;; *) bin=$(pwd)/$bin ;; esac
PATH=$bin:$PATH # the commands that it prints are those that a reader types

report=$(mktemp) || exit 1
trap 'rm -f "$report"' EXIT
outspread run --directory examples/hello --junit "$report"
if ! grep -q '<testsuites[^>]* tests="2"[^>]* failures="1"[^>]* errors="0"' "$report"; then
    echo "error: the demo did not come to one passed and one failed job: what stands above says why" >&2
    exit 1
fi
cat <<'TEXT'

That is the demo: tests/passes passed, and tests/fails failed on purpose. What you saw above is where to read why.
To type such commands yourself, put the program on your path; then the same is shown again by "history":

    export PATH="$PWD/.venv/bin:$PATH"
    outspread history --directory examples/hello

Next: docs/tutorial.md writes a project of your own.
TEXT
