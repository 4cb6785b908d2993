"""What a sandbox shows of the host's mounts."""

import pytest

from outspread.machines.sandbox.host_mounts import LEFT_OUT, OVERLAY, READ_ONLY, HostMount, is_at_or_below, parse_mounts

MOUNTINFO = r"""22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw,discard
23 22 0:22 / /sys rw shared:2 - sysfs sysfs rw
30 22 8:1 / /home rw - xfs /dev/sdb1 rw
31 22 8:2 / /mnt/with\040space rw master:3 - btrfs /dev/sdc rw
32 30 0:40 / /home/me/cloud rw - fuse.sshfs me@host:/ rw
33 22 8:1 /shared /srv rw - ext4 /dev/sdb1 rw
34 22 0:50 / /srv rw - nfs4 server:/x rw
35 23 0:51 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
"""


def test_mounts_are_parsed_parents_first_and_hidden_ones_left_out() -> None:
    mounts = parse_mounts(MOUNTINFO)
    assert [(mount.path, mount.kind) for mount in mounts] == [
        ("/", "ext4"),
        ("/home", "xfs"),
        ("/home/me/cloud", "fuse.sshfs"),
        ("/mnt/with space", "btrfs"),
        ("/srv", "nfs4"),
        ("/sys", "sysfs"),
        ("/sys/fs/cgroup/memory", "cgroup"),
    ]
    assert mounts[-1].options == "rw,memory"


@pytest.mark.parametrize(
    ("path", "kind", "handling"),
    [
        ("/home", "ext4", OVERLAY),
        ("/boot/efi", "vfat", READ_ONLY),
        ("/snap/core/1", "squashfs", READ_ONLY),
        ("/mnt/x", "nfs4", LEFT_OUT),
        ("/mnt/x", "fuse.sshfs", LEFT_OUT),
        ("/var/lib/docker/overlay2/1/merged", "overlay", LEFT_OUT),
        ("/tmp/disk", "ext4", LEFT_OUT),
        ("/dev/shm", "tmpfs", LEFT_OUT),
        ("/runner", "ext4", OVERLAY),
    ],
)
def test_handling(path: str, kind: str, handling: str) -> None:
    assert HostMount(path, "/", kind, "rw").handling() == handling


def test_at_or_below() -> None:
    assert is_at_or_below("/a/b", "/a")
    assert is_at_or_below("/a", "/a")
    assert is_at_or_below("/a", "/")
    assert not is_at_or_below("/ab", "/a")
