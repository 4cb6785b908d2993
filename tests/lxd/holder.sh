#!/bin/bash
# holder.sh READY: give a network of its own to whoever enters these namespaces, and stay until standard input ends. Started as
# the first process of new namespaces for mounts, network and processes, so that all there ends with it.
set -eu
ip link set lo up
mounts=$(grep -E '^[^ ]+ /sys/fs/cgroup[^ ]* cgroup2? ' /proc/mounts)
mount -t sysfs sysfs /sys # that of this network; the control groups are hidden now
mount -t tmpfs -o mode=755 tmpfs /sys/fs/cgroup
while read -r _ place type options _; do
    mkdir -p "$place"
    if [ "$type" = cgroup ]; then
        # none of the options but the names of controllers
        wanted=$(tr , '\n' <<< "$options" | grep -vE '^(rw|relatime|nosuid|nodev|noexec)$' | paste -sd ,)
        mount -t cgroup -o "$wanted" cgroup "$place"
    else
        mount -t cgroup2 cgroup2 "$place"
    fi
done <<< "$mounts"
echo 1 > /proc/sys/net/ipv4/ip_forward
touch "$1"
exec cat > /dev/null
