#!/bin/bash
# image.sh DIRECTORY: make a small Debian for LXD from Debian's packages: DIRECTORY/meta.tar and DIRECTORY/root.tar.zst.
# It has systemd, sshd, and an address by DHCP, but no Python, which is in DIRECTORY/root-python.tar.zst.
set -eu -o pipefail
directory=$1
mkdir -p "$directory/work/templates"
cd "$directory"
mmdebstrap --quiet --variant=minbase --mode=root --include=systemd-sysv,openssh-server,iproute2,ifupdown,isc-dhcp-client,dbus,procps,python3 \
    bookworm root
rm -rf root/var/cache/apt root/var/lib/apt/lists root/usr/share/doc root/usr/share/locale root/usr/share/man
printf 'auto lo\niface lo inet loopback\nauto eth0\niface eth0 inet dhcp\n' > root/etc/network/interfaces
: > root/etc/machine-id
for unit in apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer fstrim.timer \
    e2scrub_reap.service getty@tty1.service systemd-logind.service; do
    ln -sf /dev/null "root/etc/systemd/system/$unit"
done
echo '{{ container.name }}' > work/templates/hostname.tpl
cat > work/metadata.yaml <<'END'
architecture: x86_64
creation_date: 1763800000
properties: {description: Debian of a test, os: debian, release: bookworm}
templates:
  /etc/hostname: {when: [create, copy], template: hostname.tpl}
END
tar -C work -cf meta.tar metadata.yaml templates
tar -C root --numeric-owner -c . | zstd -q -1 -o root-python.tar.zst
rm -r root/usr/bin/python3* root/usr/lib/python3*
tar -C root --numeric-owner -c . | zstd -q -1 -o root.tar.zst
rm -rf root work
