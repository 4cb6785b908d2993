#!/bin/sh
# demo.sh BIN: run examples/hello, in which one job passes and one fails on purpose; succeeds when just that happened.
set -u
bin=$1
case $bin in /*) ;; *) bin=$(pwd)/$bin ;; esac

"$bin/outspread" run --directory examples/hello
status=$?
if [ "$status" = 1 ]; then
    cat <<'TEXT'

That is the demo: tests/passes passed, and tests/fails failed on purpose. What you saw above is where to read why;
the same is kept, and shown again by

    .venv/bin/outspread history --directory examples/hello

Next: docs/tutorial.md writes a project of your own.
TEXT
    exit 0
fi
echo "error: the demo ended with $status where 1 (one job failed on purpose) was expected" >&2
exit 1
