"""A disk image with a small Linux that boots by itself, made in two seconds of this computer's own programs and a Debian kernel.

It has bash, GNU tar, a busybox for the rest, sshd, and the root password ``PASSWORD``. Needs no root, no loop device.
"""

import platform
import shutil
import struct
import subprocess
from pathlib import Path

#: root's; the hash is a cheap one, since emulated processors are slow.
PASSWORD = "correct horse"
_PASSWORD_HASH = "$5$rounds=1000$outspread$kFy5DmAmz8u66.wK.OTD3RcmGXTl76ZLn7MTY0LsTi7"

_ROOT = Path(__file__).parents[2]
#: Where ``tools/debian-packages.sh`` puts the kernel's package.
KERNELS = _ROOT / "build/guest-kernel"

_TOOLS = ("qemu-system-x86_64", "mke2fs", "syslinux", "mcopy", "mformat", "dpkg-deb", "cpio", "sshd", "busybox")
_MBR = Path("/usr/lib/syslinux/mbr/mbr.bin")

_SECTOR = 512
_MIB = 2**20
_BOOT_MIB, _ROOT_MIB = 24, 128

_MODULES = (  # in the order in which they need one another
    *("virtio/virtio_ring", "virtio/virtio", "virtio/virtio_pci_modern_dev", "virtio/virtio_pci_legacy_dev", "virtio/virtio_pci"),
    *("block/virtio_blk", "net/core/failover", "net/net_failover", "net/virtio_net"),
)
#: Those that our shell needs as Debian has them, and what tests use; a busybox does the rest.
_PROGRAMS = ("bash", "tar", "sshd", "zstd", "setsid", "grep", "sed", "cut", "find", "mktemp", "pgrep", "perl")

_SYSLINUX_CFG = """\
DEFAULT linux
PROMPT 0
LABEL linux
KERNEL vmlinuz
INITRD initrd
APPEND console=ttyS0 quiet loglevel=3 net.ifnames=0 mitigations=off random.trust_cpu=on nokaslr tsc=reliable panic=-1
"""
_INITRAMFS_INIT = """\
#!/bin/sh
mount -t devtmpfs dev /dev
mount -t proc proc /proc
for m in {modules}; do insmod /m/$m.ko; done
n=0; while [ ! -b /dev/vda2 ] && [ $n -lt 200 ]; do usleep 20000; n=$((n+1)); done
mount -t ext4 -o rw /dev/vda2 /mnt || exec sh
mount --move /dev /mnt/dev
mount --move /proc /mnt/proc
exec switch_root /mnt /sbin/init
"""
# a bash as the first process collects the orphans of others at once
_INIT = """\
#!/bin/bash
export PATH=/usr/bin:/usr/sbin:/bin:/sbin
mkdir -p /dev/pts /dev/shm
mount -t sysfs sys /sys
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /tmp
chmod 1777 /tmp
ln -s /proc/self/fd /dev/fd
mkdir -p /run/sshd
hostname guest
ip link set lo up
ip addr add 10.0.2.15/24 dev eth0
ip link set eth0 up
ip route add default via 10.0.2.2
echo guest is up
while :; do /usr/sbin/sshd -D -e; done
"""
_REBOOT = """\
#!/bin/sh
sync
setsid sh -c 'trap "" HUP; kill $(pgrep sshd); exec /bin/busybox reboot -f' < /dev/null > /dev/null 2>&1 &
sleep 60
"""
_SSHD_CONFIG = """\
PermitRootLogin yes
PasswordAuthentication yes
KbdInteractiveAuthentication no
UseDNS no
MaxStartups 100
MaxSessions 200
Subsystem sftp internal-sftp
HostKey /etc/ssh/ssh_host_ed25519_key
"""


def why_no_guests() -> str:
    """Return why no guest can be made here; "" when it can."""
    missing = [tool for tool in _TOOLS if shutil.which(tool) is None]
    if platform.machine() != "x86_64":
        return f"the small guest is made for x86_64, this is {platform.machine()}"
    if missing or not _MBR.exists():
        return f"guests need {', '.join(missing or [str(_MBR)])}: see tools/debian-packages.sh"
    if not [*KERNELS.glob("*.deb")]:
        return f"guests need a kernel in {KERNELS}: see tools/debian-packages.sh"
    return ""


def make_image(directory: Path) -> Path:
    """Make the image in ``directory``, which is new or empty, and return its path."""
    directory.mkdir(parents=True, exist_ok=True)
    kernel = directory / "kernel"
    _run("dpkg-deb", "-x", max(KERNELS.glob("*.deb")), kernel)
    (vmlinuz,) = (kernel / "boot").glob("vmlinuz-*")
    (modules,) = (kernel / "lib/modules").iterdir()
    initrd = _make_initramfs(directory / "initramfs", modules)
    root = _make_root(directory / "root")
    image = directory / "guest.img"
    with image.open("wb") as file:
        file.truncate((1 + _BOOT_MIB + _ROOT_MIB) * _MIB)
        file.write(_MBR.read_bytes()[:440])
        file.seek(446)
        file.write(_partition(0x80, 0x0E, 1, _BOOT_MIB) + _partition(0, 0x83, 1 + _BOOT_MIB, _ROOT_MIB))
        file.seek(510)
        file.write(b"\x55\xaa")
    boot = f"{image}@@{_MIB}"
    _run("mformat", "-i", boot, "-T", _BOOT_MIB * _MIB // _SECTOR, "-h", 64, "-s", 32, "-H", _MIB // _SECTOR, "::")
    _run("syslinux", "--install", "--offset", _MIB, image)
    config = directory / "syslinux.cfg"
    config.write_text(_SYSLINUX_CFG)
    for file_, name in ((vmlinuz, "vmlinuz"), (initrd, "initrd"), (config, "syslinux.cfg")):
        _run("mcopy", "-i", boot, file_, f"::{name}")
    offset = (1 + _BOOT_MIB) * _MIB
    features = "^has_journal,^metadata_csum"
    _run("mke2fs", "-q", "-F", "-t", "ext4", "-O", features, "-E", f"offset={offset}", "-d", root, image, f"{_ROOT_MIB}M")
    return image


def _partition(flag: int, kind: int, start_mib: int, size_mib: int) -> bytes:
    far = b"\xfe\xff\xff"  # beyond cylinders and heads: by sector number
    return struct.pack("<B3sB3sII", flag, far, kind, far, start_mib * _MIB // _SECTOR, size_mib * _MIB // _SECTOR)


def _make_initramfs(tree: Path, modules: Path) -> Path:
    for name in ("bin", "dev", "proc", "mnt", "m"):
        (tree / name).mkdir(parents=True)
    shutil.copy2("/bin/busybox", tree / "bin/busybox")
    for applet in ("sh", "mount", "insmod", "usleep", "switch_root"):
        (tree / "bin" / applet).symlink_to("busybox")
    for module in _MODULES:
        place = module if module.startswith("net/core") else f"drivers/{module}"
        shutil.copy2(modules / "kernel" / f"{place}.ko", tree / "m")
    init = tree / "init"
    init.write_text(_INITRAMFS_INIT.format(modules=" ".join(Path(module).name for module in _MODULES)))
    init.chmod(0o755)
    packed = tree.with_suffix(".cpio")
    names = "\n".join(str(path.relative_to(tree)) for path in sorted(tree.rglob("*")))
    with packed.open("wb") as file:
        subprocess.run(
            ["cpio", "-o", "-H", "newc", "--quiet", "-R", "0:0"], cwd=tree, input=names.encode(), stdout=file, check=True
        )
    return packed


def _make_root(tree: Path) -> Path:
    for name in (
        "usr/bin",
        "usr/sbin",
        "usr/lib",
        "dev",
        "proc",
        "sys",
        "run",
        "tmp",
        "root",
        "etc/ssh",
        "mnt",
        "var/log",
        "srv",
    ):
        (tree / name).mkdir(parents=True)
    for name in ("bin", "sbin", "lib", "lib64"):
        (tree / name).symlink_to(f"usr/{'lib' if name == 'lib64' else name}")
    shutil.copy2("/bin/busybox", tree / "usr/bin/busybox")
    for program in _PROGRAMS:
        if found := shutil.which(program):
            _copy_with_libraries(Path(found), tree)
    for applet in subprocess.run(["busybox", "--list"], capture_output=True, text=True, check=True).stdout.split():
        if not (tree / "usr/bin" / applet).exists():
            (tree / "usr/bin" / applet).symlink_to("busybox")
    files = {
        "etc/passwd": "root:x:0:0:root:/root:/bin/bash\nsshd:x:100:65534::/run/sshd:/bin/false\n",
        "etc/shadow": f"root:{_PASSWORD_HASH}:19000:0:99999:7:::\nsshd:!:19000::::::\n",
        "etc/group": "root:x:0:\nnogroup:x:65534:\n",
        "etc/nsswitch.conf": "passwd: files\ngroup: files\nshadow: files\nhosts: files\n",
        "etc/hosts": "127.0.0.1 localhost guest\n",
        "etc/ssh/sshd_config": _SSHD_CONFIG,
        "etc/machine-id": "",
    }
    for name, text in files.items():
        (tree / name).write_text(text)
    for name, text in {"usr/sbin/init": _INIT, "usr/sbin/reboot": _REBOOT}.items():
        (tree / name).write_text(text)
        (tree / name).chmod(0o755)
    _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "guest", "-f", tree / "etc/ssh/ssh_host_ed25519_key")
    return tree


def _copy_with_libraries(program: Path, tree: Path) -> None:
    place = "usr/sbin" if program.parent.name == "sbin" else "usr/bin"
    shutil.copy2(program.resolve(), tree / place / program.name)
    found = subprocess.run(["ldd", program], capture_output=True, text=True).stdout
    for library in (Path(word) for word in found.split() if word.startswith("/")):
        copied = tree / "usr/lib" / library.name
        if not copied.exists():
            shutil.copy2(library.resolve(), copied)


def _run(*command: object) -> None:
    ended = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    assert ended.returncode == 0, f"{command}: {ended.stdout}{ended.stderr}"
