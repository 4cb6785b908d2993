"""The hardware of one test host: ``python hardware.py OPTIONS``. It gives the host a disk, boots it, and boots it again.

The disk is a copy-on-write view of this computer's own root, on a tmpfs; the network is this computer's, with an address of
the host's own. Everything ends when standard input does: with whoever started us. Standard output says ``up PID`` at each boot.

OPTIONS are the fields of ``host.HostOptions`` as JSON.
"""

import json
import os
import secrets
import select
import signal
import subprocess
import sys
import traceback
from pathlib import Path
from typing import Any

from outspread.machines.sandbox import kernel
from outspread.machines.sandbox.host_mounts import parse_mounts
from outspread.machines.sandbox.root_view import RootView

_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
_ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
_POWER = "/run/power"
_POWER_SCRIPT = f"#!/bin/sh\necho ${{0##*/}} > {_POWER} && exec sleep 60\n"
_PYTHONS = ("python", "python3", "platform-python")

# reboot(2) in a pid namespace: its process 1 ends by one of these signals, and all others with it
_RB_AUTOBOOT, _RB_POWER_OFF = 0x01234567, 0x4321FEDC


def prepare_disk(root: Path, options: dict[str, Any]) -> None:
    """Make it the disk of a computer that nobody has logged in to yet."""
    etc = root / "etc"
    users = [line for line in (etc / "passwd").read_text().splitlines() if not line.startswith("tester:")]
    users = [line.rpartition(":")[0] + ":/bin/bash" if line.startswith("root:") else line for line in users]
    names = [line.partition(":")[0] for line in users]
    (etc / "passwd").write_text("\n".join([*users, "tester:x:4711:4711::/home/tester:/bin/bash", ""]))
    (etc / "group").write_text((etc / "group").read_text() + "tester:x:4711:\n")
    shadow = {**dict.fromkeys(names, "*"), "root": options["password_hash"], "tester": options["password_hash"]}
    (etc / "shadow").write_text("".join(f"{name}:{secret}:20000:0:99999:7:::\n" for name, secret in shadow.items()))
    (etc / "hostname").write_text(options["name"] + "\n")
    (etc / "hosts").write_text(f"127.0.0.1 localhost {options['name']}\n::1 localhost {options['name']}\n")
    (etc / "sudoers").write_text("Defaults env_reset\nroot ALL=(ALL:ALL) ALL\ntester ALL=(ALL) NOPASSWD: ALL\n")
    (etc / "pam.d").mkdir(exist_ok=True)
    (etc / "pam.d/sudo").write_text("auth required pam_unix.so\naccount required pam_unix.so\nsession required pam_permit.so\n")
    (etc / "pam.d/sshd").write_text("auth required pam_unix.so\naccount required pam_unix.so\nsession required pam_permit.so\n")
    for home, owner in (("root", 0), ("home/tester", 4711)):
        _give_home(root / home, owner, options["authorized_keys"])
    _prepare_sshd(etc / "ssh", options)
    for word in ("reboot", "poweroff"):
        script = root / "usr/sbin" / word
        script.unlink(missing_ok=True)
        script.write_text(_POWER_SCRIPT)
        script.chmod(0o755)
    if not options["python"]:
        for directory in ("usr/bin", "usr/local/bin", "usr/libexec"):
            for name in _PYTHONS:
                for program in (root / directory).glob(f"{name}*"):
                    program.unlink()


def _give_home(home: Path, owner: int, keys: list[str]) -> None:
    for settings in (*home.glob(".bash*"), *home.glob(".profile")):  # those of whoever works on this computer
        settings.unlink()
    ssh = home / ".ssh"
    ssh.mkdir(parents=True, exist_ok=True)
    (ssh / "authorized_keys").write_text("".join(key.strip() + "\n" for key in keys))
    for path, mode in ((home, 0o700), (ssh, 0o700), (ssh / "authorized_keys", 0o600)):
        path.chmod(mode)
        os.chown(path, owner, owner)


def _prepare_sshd(ssh: Path, options: dict[str, Any]) -> None:
    for old in (*ssh.glob("ssh_host_*"), *ssh.glob("sshd_config.d/*")):
        old.unlink()
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(ssh / "ssh_host_ed25519_key")], check=True)
    asks = options["keyboard_interactive"]
    lines = [
        *(f"ListenAddress {address}" for address in options["listen"]),
        "HostKey /etc/ssh/ssh_host_ed25519_key",
        "PermitRootLogin yes",
        f"UsePAM {'yes' if asks else 'no'}",
        f"PasswordAuthentication {'no' if asks else 'yes'}",
        f"KbdInteractiveAuthentication {'yes' if asks else 'no'}",
        "PrintMotd no",
        "PrintLastLog no",
        "UseDNS no",
        "PidFile none",
        "MaxStartups 200:30:400",
        "MaxSessions 200",
    ]
    (ssh / "sshd_config").write_text("\n".join([*lines, ""]))


def boot(view: RootView, name: str) -> bool:
    """Boot once, see it through to its end, and return whether it is to boot again."""
    ours, theirs = os.pipe()
    parent = os.fork()
    if parent == 0:
        os.close(ours)
        _be_parent_of_init(view, name, theirs)
    os.close(theirs)
    pidfd = os.pidfd_open(parent)
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    poll.register(0, select.POLLIN)
    off = pidfd not in {fd for fd, _ in poll.poll()}
    if off:
        os.kill(parent, signal.SIGKILL)
    _wait_for_all()
    os.close(pidfd)
    with os.fdopen(ours, "rb") as how:
        end = how.read()
    return not off and end == b"reboot"


def _wait_for_all() -> None:
    """Wait for the last child; process 1 of the host, which we adopt, is the last of it to go."""
    while True:
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def _be_parent_of_init(view: RootView, name: str, how: int) -> None:
    """Make a pid namespace and wait for its end. Never returns."""
    try:
        kernel.die_with_parent(signal.SIGKILL)
        kernel.unshare(kernel.CLONE_NEWPID)
        init = os.fork()
        if init == 0:
            os.dup2(os.open("/dev/null", os.O_RDWR), 0)
            _be_init(view, name)
        os.write(1, f"up {init}\n".encode())
        _, status = os.waitpid(init, 0)
        if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGHUP:
            os.write(how, b"reboot")
    finally:
        os._exit(0)


def _be_init(view: RootView, name: str) -> None:
    """Be process 1 of the host until it reboots or is switched off. Never returns."""
    try:
        _enter(view, name)
        sshd = os.posix_spawn(
            "/usr/sbin/sshd",
            ["/usr/sbin/sshd", "-D", "-E", "/var/log/sshd.log"],
            _ENVIRONMENT,
            setsigdef=(signal.SIGPIPE, signal.SIGXFSZ),  # which Python ignores
        )
        os.mkfifo(_POWER, 0o600)
        power = os.open(_POWER, os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        wake, write_wake = os.pipe()
        os.set_blocking(write_wake, False)
        signal.set_wakeup_fd(write_wake, warn_on_full_buffer=False)
        while sshd not in _reaped():
            if power in select.select([power, wake], [], [])[0]:
                _obey(os.read(power, 100))
            else:
                os.read(wake, 4096)
    except BaseException:  # noqa: BLE001 - the last line of defence: nobody above sees it
        traceback.print_exc()
    finally:
        os._exit(1)


def _enter(view: RootView, name: str) -> None:
    kernel.die_with_parent(signal.SIGKILL)
    kernel.unshare(kernel.CLONE_NEWNS | kernel.CLONE_NEWUTS | kernel.CLONE_NEWIPC)
    kernel.set_hostname(name)
    os.umask(0)
    root = view.root
    for directory in ("proc", "sys", "dev", "run", "tmp"):
        Path(root, directory).mkdir(exist_ok=True)
    kernel.mount("proc", f"{root}/proc", "proc", kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC)
    kernel.bind("/sys", f"{root}/sys", recursive=True)
    kernel.make_tree_read_only(f"{root}/sys")
    kernel.mount("tmpfs", f"{root}/run", "tmpfs", kernel.MS_NOSUID, "mode=0755")
    kernel.mount("tmpfs", f"{root}/tmp", "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, "mode=1777")
    _make_devices(f"{root}/dev")
    Path(root, "run/sshd").mkdir(0o755)
    boot_id = Path(root, "run/boot_id")
    text = secrets.token_hex(16)
    boot_id.write_text("-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:])) + "\n")
    kernel.bind(str(boot_id), f"{root}/proc/sys/kernel/random/boot_id")
    if Path(root, "proc/sysrq-trigger").exists():  # the one thing that would reboot this very computer
        kernel.bind("/dev/null", f"{root}/proc/sysrq-trigger")
    kernel.pivot_to(root)
    os.umask(0o022)
    os.setsid()


def _make_devices(dev: str) -> None:
    kernel.mount("tmpfs", dev, "tmpfs", kernel.MS_NOSUID, "mode=0755")
    for name in _DEVICES:
        Path(dev, name).touch()
        kernel.bind(f"/dev/{name}", f"{dev}/{name}")
    for name, target in (
        ("fd", "/proc/self/fd"),
        ("stdin", "fd/0"),
        ("stdout", "fd/1"),
        ("stderr", "fd/2"),
        ("ptmx", "pts/ptmx"),
    ):
        Path(dev, name).symlink_to(target)
    for name, mode in (("shm", 0o1777), ("pts", 0o755)):
        Path(dev, name).mkdir()
        Path(dev, name).chmod(mode)
    kernel.mount(
        "devpts", f"{dev}/pts", "devpts", kernel.MS_NOSUID | kernel.MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620,gid=5"
    )


def _reaped() -> set[int]:
    pids: set[int] = set()
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return pids
        if pid == 0:
            return pids
        pids.add(pid)


def _obey(word: bytes) -> None:
    import ctypes

    ctypes.CDLL(None).reboot(_RB_AUTOBOOT if word.startswith(b"reboot") else _RB_POWER_OFF)


def main() -> None:
    options = json.loads(sys.argv[1])
    kernel.adopt_orphans()
    kernel.unshare(kernel.CLONE_NEWNS)
    mounts = parse_mounts(Path("/proc/self/mountinfo").read_text())
    kernel.mount("none", "/", flags=kernel.MS_REC | kernel.MS_SLAVE)
    view = RootView("/", "size=4g", mounts, user_xattr=False, say=lambda _text: None)
    prepare_disk(Path(view.root), options)
    while boot(view, options["name"]):
        pass


if __name__ == "__main__":
    main()
