"""What a sandbox keeps from the host, and what it shows of it."""

import os
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from outspread.errors import UserError

InSandbox = Callable[..., list[str]]

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="the host gives these powers to root only")


@needs_root
def test_changes_stay_inside(in_sandbox: InSandbox, tmp_path: Path) -> None:
    kept = Path("/var/lib/misc") / f"outspread-test-{os.getpid()}"
    said = in_sandbox(
        f"echo x > {kept}; rm -rf /usr/share/doc /etc/passwd; ls {kept} /etc/passwd 2>/dev/null",
        f"touch {tmp_path}/new 2>&1",
    )
    assert said[0] == str(kept)
    assert not kept.exists()
    assert Path("/etc/passwd").stat().st_size > 0
    assert list(tmp_path.iterdir()) == []


def test_the_machine_is_its_own(in_sandbox: InSandbox) -> None:
    name, processes, run, tmp, boot_id = in_sandbox(
        "hostname; getent hosts $(hostname)",
        "ls -d /proc/[0-9]* | wc -l",
        "ls -A /run",
        "stat -c %a /tmp /dev/shm; ls -A /tmp | wc -l",
        "cat /proc/sys/kernel/random/boot_id",
    )
    assert name.startswith("sandbox-")
    assert name.split()[0] != socket.gethostname()
    assert len(name.split()) == 3
    assert int(processes) < 8
    assert run == "lock"
    assert tmp.split() == ["1777", "1777", "0"]
    assert boot_id != Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def test_devices_are_the_harmless_ones(in_sandbox: InSandbox) -> None:
    names, works, terminal = in_sandbox(
        "ls /dev",
        "echo x > /dev/null; head -c 3 /dev/zero | wc -c; head -c 3 /dev/urandom | wc -c; echo to-error > /dev/stderr; "
        "diff <(echo a) <(echo a) && echo same",
        "script -qc tty /dev/null",
    )
    assert " ".join(names.split()) == "fd full null ptmx pts random shm stderr stdin stdout tty urandom zero"
    assert works.split() == ["3", "3", "to-error", "same"]
    assert terminal == "/dev/pts/0"


@needs_root
@pytest.mark.parametrize(
    "attempt",
    [
        "echo b > /proc/sysrq-trigger",
        "echo 1 > /proc/sys/vm/drop_caches",
        "echo 0 > /proc/sys/net/ipv4/ip_forward",
        "echo x > /proc/sys/kernel/core_pattern",
        "mkdir /sys/fs/cgroup/pids/x || mkdir /sys/fs/cgroup/x",
        "mknod /root/disk b 254 0",
        "date -s 2001-01-01",
        "dmesg -C",
        "ip link add outspreadtest type bridge || ip link set lo down",
        "python3 -c 'import ctypes, os, sys; sys.exit(ctypes.CDLL(None).reboot(0x4321fedc) and 1)'",
        "reboot -f",
    ],
)
def test_what_would_reach_the_host_is_refused(in_sandbox: InSandbox, attempt: str) -> None:
    (said,) = in_sandbox(f"({attempt}) > /dev/null 2>&1 && echo done || echo refused")
    assert said == "refused"


def test_settings_of_its_own_can_be_changed(in_sandbox: InSandbox) -> None:
    before = Path("/proc/sys/kernel/shmmni").read_text()
    (said,) = in_sandbox("hostname other && hostname; echo 77 > /proc/sys/kernel/shmmni && cat /proc/sys/kernel/shmmni")
    assert said.split() == ["other", "77"]
    assert socket.gethostname() != "other"
    assert Path("/proc/sys/kernel/shmmni").read_text() == before


def test_the_network_is_the_hosts(in_sandbox: InSandbox) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10)
        port = server.getsockname()[1]
        (said,) = in_sandbox(f"exec 3<>/dev/tcp/127.0.0.1/{port} && echo connected; cat /etc/resolv.conf | wc -l")
    assert said.split()[0] == "connected"


def test_the_disk_is_bounded(in_sandbox: InSandbox) -> None:
    said = in_sandbox(
        "head -c 30M /dev/zero > /var/big 2>/dev/null && echo fits || echo full",
        "rm /var/big; head -c 30M /dev/zero > /tmp/big 2>/dev/null && echo fits || echo full",
        "rm /tmp/big; head -c 5M /dev/zero > /var/big && echo fits || echo full",
        storage_bytes=20 << 20,
    )
    assert said == ["full", "full", "fits"]


@needs_root
def test_a_fork_bomb_is_contained_and_ended(in_sandbox: InSandbox) -> None:
    bomb, after = in_sandbox("bomb() { bomb | bomb & }; bomb; sleep 987", "ls -d /proc/[0-9]* | wc -l", kill_after_s=1)
    assert bomb.endswith("signal 9") or "fork" in bomb
    assert int(after) < 8


@needs_root
def test_a_memory_hog_dies_alone(in_sandbox: InSandbox) -> None:
    hog, after = in_sandbox(
        "python3 -c 'b = bytearray(1 << 30)'; echo $?", "echo still here", memory_bytes=200 << 20, kill_after_s=60
    )
    assert hog.split()[-1] == "137"
    assert after == "still here"


def test_another_root_tree_needs_bash_and_its_libraries_only(in_sandbox: InSandbox, tmp_path: Path) -> None:
    image = tmp_path / "an image, with: odd \\ name"
    listed = subprocess.run(["ldd", "/bin/bash"], capture_output=True, text=True, check=True).stdout
    libraries = [word for word in listed.split() if word.startswith("/")]
    for file in ("/bin/bash", *libraries):
        target = image / file.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(Path(file).read_bytes())
        target.chmod(0o755)
    for program in ("tar", "mkdir"):
        (image / "bin" / program).touch()
    (image / "etc").mkdir()
    (image / "run").symlink_to("/somewhere")
    (image / "etc/marker").write_text("the image\n")
    before = sorted(image.rglob("*"))
    said = in_sandbox("echo /*; read -r x < /etc/marker; echo $x; echo new > /etc/marker", system="other-1", image=image.name)
    top = said[0].splitlines()[0].split()
    assert {"/bin", "/dev", "/etc", "/proc", "/run", "/sys", "/tmp"} <= set(top) <= {"/lib", "/lib64", "/usr", *top[:9]}
    assert said[0].splitlines()[1] == "the image"
    assert (image / "etc/marker").read_text() == "the image\n"
    assert sorted(image.rglob("*")) == before


@pytest.mark.parametrize(("holds", "lacks"), [((), "bin/bash"), (("bash", "mkdir"), "tar"), (("bash", "tar"), "mkdir")])
def test_an_image_without_what_is_needed_is_said_to_lack_it(
    in_sandbox: InSandbox, tmp_path: Path, holds: tuple[str, ...], lacks: str
) -> None:
    (tmp_path / "image/bin").mkdir(parents=True)
    for program in holds:
        (tmp_path / "image/bin" / program).touch()
    with pytest.raises(UserError, match=f"cannot use image image: it has no {lacks}"):
        in_sandbox("true", system="other-1", image="image")


def test_what_is_no_root_tree_at_all_is_refused(in_sandbox: InSandbox) -> None:
    with pytest.raises(UserError, match="cannot use image /proc: it has no bin/bash"):
        in_sandbox("true", system="other-1", image="/proc")
