#!/bin/sh
# debian-packages.sh: install the Debian packages that the tests need, when root; say what is missing otherwise.
set -eu

missing=
need() { # COMMAND PACKAGE
    command -v "$1" >/dev/null 2>&1 || missing="$missing $2"
}
need bash bash
need tar tar
need unshare util-linux
need mount mount
need setpriv util-linux
need git git
need sshd openssh-server
need sudo sudo

[ -n "$missing" ] || exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "Installing$missing ..."
    apt-get -qq update >/dev/null 2>&1 || true
    # shellcheck disable=SC2086 # a list of words on purpose
    DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o DPkg::Lock::Timeout=120 install $missing >/dev/null 2>&1 ||
        { echo "error: cannot install$missing" >&2; exit 1; }
else
    echo "note: not installed, and not installable without root:$missing; tests that need them say so when they are skipped"
fi
