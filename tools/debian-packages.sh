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
need zstd zstd
need lxd lxd # the daemon that tests run for themselves
need lxc lxd-client
need mmdebstrap mmdebstrap
need mkfs.btrfs btrfs-progs
need dnsmasq dnsmasq-base
need nft nftables
if [ "$(uname -m)" = x86_64 ]; then # the small guest that tests emulate
    need qemu-system-x86_64 qemu-system-x86
    need qemu-img qemu-utils
    need busybox busybox-static
    need cpio cpio
    need mke2fs e2fsprogs
    need mcopy mtools
    need syslinux "syslinux syslinux-common"
    need pgrep procps
fi

# kernel: fetch the package of a small Linux kernel for that guest, unpacked by the tests, never installed
kernel() {
    directory=build/guest-kernel
    [ "$(uname -m)" = x86_64 ] && command -v apt-get >/dev/null 2>&1 || return 0
    [ -z "$(ls "$directory" 2>/dev/null)" ] || return 0
    package=$(apt-cache depends linux-image-cloud-amd64 2>/dev/null | sed -n 's/.*Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1)
    mkdir -p "$directory"
    [ -n "$package" ] && (cd "$directory" && apt-get -qq download "$package" >/dev/null 2>&1) ||
        echo "note: cannot fetch a kernel for the small guest; tests that need it say so when they are skipped"
}

[ -n "$missing" ] || { kernel; exit 0; }
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "Installing$missing ..."
    apt-get -qq update >/dev/null 2>&1 || true
    # shellcheck disable=SC2086 # a list of words on purpose
    DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends -o DPkg::Lock::Timeout=120 install $missing >/dev/null 2>&1 ||
        { echo "error: cannot install$missing" >&2; exit 1; }
else
    echo "note: not installed, and not installable without root:$missing; tests that need them say so when they are skipped"
fi
kernel
