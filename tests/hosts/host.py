"""Hosts for tests: computers of their own that SSH reaches, made of namespaces in a third of a second.

Each has a disk of its own (a copy-on-write view of this computer's root), processes, a host name, an address among this
computer's loopback addresses, sshd with a key of its own, the users ``root`` and ``tester`` (who has sudo), and a reboot
that keeps the disk. They share this computer's network and kernel. Needs root.
"""

import itertools
import json
import os
import random
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import msgspec
from msgspec import Struct

import outspread

#: The password of both users.
PASSWORD = "correct horse"
_PASSWORD_HASH = "$5$outspread$mtGlelX7a82tkvoCNGELqw1H2ciRqXXp29ZIQofrpv0"

_UP_WITHIN_S = 20.0
_numbers = itertools.count(1)


class HostOptions(Struct, frozen=True):
    """What can be asked of a test host."""

    name: str
    listen: tuple[str, ...] = ()
    authorized_keys: tuple[str, ...] = ()
    keyboard_interactive: bool = False  # the only way to give a password, then
    python: bool = True  # whether it has one
    password_hash: str = _PASSWORD_HASH


class Host:
    """One test host, booted when this returns. Use it as a context manager, or ``end`` it."""

    def __init__(
        self,
        *,
        address: str = "",
        port: int = 0,
        authorized_keys: tuple[str, ...] = (),
        keyboard_interactive: bool = False,
        python: bool = True,
    ) -> None:
        """``address`` and ``port`` are those of a host that is gone, for one that takes its place."""
        number = next(_numbers)
        self.name = f"host{number}-{os.getpid()}"
        self.address = address or f"127.{77 + os.getpid() % 100}.{number // 250}.{number % 250 + 1}"
        self.port = port or _free_port(self.address)
        self.password = PASSWORD
        options = HostOptions(
            name=self.name,
            listen=tuple(f"{literal}:{self.port}" for literal in (self.address, *(["[::1]"] if has_ipv6() else []))),
            authorized_keys=authorized_keys,
            keyboard_interactive=keyboard_interactive,
            python=python,
        )
        self._hardware = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("hardware.py")), json.dumps(msgspec.to_builtins(options))],
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "PYTHONPATH": str(Path(outspread.__file__).parents[1])},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,
        )
        self._init = 0
        try:
            self.wait_for_boot()
        except BaseException:
            self.end()
            raise

    @property
    def spread_address(self) -> str:
        """The address as a spread.yaml writes it."""
        return f"{self.address}:{self.port}"

    @property
    def host_key(self) -> str:
        """Its public key, as in a known_hosts file without the name."""
        return " ".join(self.read("/etc/ssh/ssh_host_ed25519_key.pub").split()[:2])

    @property
    def init(self) -> int:
        """The id here of its first process, since the last boot that was waited for."""
        return self._init

    @property
    def disk(self) -> Path:
        """Its disk, while it is up."""
        return Path(f"/proc/{self._init}/root")

    def read(self, path: str) -> str:
        """Return the text of a file on its disk."""
        return self.disk.joinpath(path.removeprefix("/")).read_text()

    def remove(self, path: str) -> None:
        """Take away a directory on its disk, if there is one."""
        shutil.rmtree(self.disk / path.removeprefix("/"), ignore_errors=True)

    def wait_for_boot(self) -> None:
        """Return when a boot that was not waited for yet has come so far that sshd listens."""
        assert self._hardware.stdout is not None
        if not select.select([self._hardware.stdout], [], [], _UP_WITHIN_S)[0]:
            raise RuntimeError(f"{self.name} did not boot within {_UP_WITHIN_S:g} s")
        line = self._hardware.stdout.readline()
        if not line.startswith(b"up "):
            raise RuntimeError(f"{self.name} could not boot")
        self._init = int(line.split()[1])
        deadline = time.monotonic() + _UP_WITHIN_S
        while True:
            try:
                socket.create_connection((self.address, self.port), timeout=_UP_WITHIN_S).close()
            except ConnectionRefusedError:
                if time.monotonic() > deadline or self._hardware.poll() is not None:
                    raise
                time.sleep(0.002)
            else:
                return

    def processes(self) -> dict[int, str]:
        """Return its processes, by their ids here: their command lines, or their names where they have none."""
        parents: dict[int, list[int]] = {}
        names: dict[int, str] = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    stat = (entry / "stat").read_text()
                    words = (entry / "cmdline").read_bytes().rstrip(b"\0").replace(b"\0", b" ").decode(errors="replace")
                except OSError:
                    continue
                parents.setdefault(int(stat.rpartition(")")[2].split()[1]), []).append(int(entry.name))
                names[int(entry.name)] = words or stat.partition("(")[2].rpartition(")")[0]
        found = [self._init] if self._init in names else []
        for pid in found:  # grows while it is walked
            found.extend(parents.get(pid, ()))
        return {pid: names[pid] for pid in found}

    def signal_connections(self, number: signal.Signals) -> int:
        """Signal what serves its SSH connections, not what was started through them; return how many processes those were.

        SIGKILL cuts them, with whatever was on its way; SIGSTOP has them fall silent.
        """
        serving = [pid for pid, words in self.processes().items() if words.startswith("sshd") and "listener" not in words]
        for pid in serving:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue
        return len(serving)

    def kill(self) -> None:
        """Take its power away: it is gone at once, and says goodbye to nobody."""
        os.kill(self._init, signal.SIGKILL)
        self._hardware.wait()
        self._close()

    def end(self) -> None:
        """Switch it off and throw it away. Idempotent."""
        self._close()
        self._hardware.wait()

    def _close(self) -> None:
        for pipe in (self._hardware.stdin, self._hardware.stdout):
            if pipe is not None:
                pipe.close()

    def __enter__(self) -> "Host":
        return self

    def __exit__(self, *_: object) -> None:
        self.end()


def why_no_hosts() -> str:
    """Return why test hosts cannot be made here; "" when they can."""
    if os.geteuid() != 0:
        return "test hosts need root"
    missing = [program for program in ("sshd", "ssh-keygen", "sudo") if shutil.which(program, path="/usr/sbin:/usr/bin") is None]
    return f"test hosts need {' and '.join(missing)}" if missing else ""


def has_ipv6() -> bool:
    """Return whether this computer has ``::1``."""
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


def _free_port(address: str) -> int:
    """Return a port that nobody has, below those that the kernel gives to outgoing connections."""
    for _ in range(100):
        port = random.randrange(15000, 32000)
        try:
            with socket.socket() as probe:
                probe.bind((address, port))
            if has_ipv6():
                with socket.socket(socket.AF_INET6) as probe:
                    probe.bind(("::1", port))
        except OSError:
            continue
        return port
    raise RuntimeError(f"no free port on {address}")
