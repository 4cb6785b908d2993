#!/bin/sh
# make-venv.sh DIR: make the environment in DIR from the lock. Says in one line what is missing.
set -eu
venv=$1

give_up() {
    echo "error: $1" >&2
    exit 1
}

fits() { # COMMAND: whether it is a Python that is new enough
    command -v "$1" >/dev/null 2>&1 && "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

python=
if [ -n "${PYTHON:-}" ]; then
    fits "$PYTHON" || give_up "PYTHON=$PYTHON is not a Python 3.11 or later that runs"
    python=$PYTHON
else
    for candidate in python3 python3.13 python3.12 python3.11; do
        if fits "$candidate"; then
            python=$candidate
            break
        fi
    done
fi
[ -n "$python" ] || give_up "Outspread needs Python 3.11 or later, and none was found: install it, or name one with PYTHON=/path/to/python3 make ..."

if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
        echo "Installing python$version-venv ..."
        { apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o DPkg::Lock::Timeout=120 install "python$version-venv"; } >/dev/null 2>&1 ||
            give_up "cannot install python$version-venv, which Python needs to make environments"
    else
        give_up "Python cannot make environments: as root, apt-get install python$version-venv"
    fi
fi

echo "Making the environment in $venv ..."
"$python" -m venv --clear "$venv" || give_up "cannot make an environment in $venv"
log=$venv/install.log
{
    "$venv/bin/python" -m pip --disable-pip-version-check install --quiet --require-hashes -r requirements.lock &&
        "$venv/bin/python" -m pip --disable-pip-version-check install --quiet --no-deps --no-build-isolation -e .
} >"$log" 2>&1 || { tail -n 5 "$log" >&2; give_up "cannot install what requirements.lock names; all that was said is in $log"; }
