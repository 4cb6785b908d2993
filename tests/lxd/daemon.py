"""A real LXD daemon for tests: with its own network, storage and images, in namespaces of its own. Needs root.

Nothing of it is seen outside but its socket. It, its containers and its files are gone when it is closed.
"""

import contextlib
import hashlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from tests.lxd.relay import Relay

_HERE = Path(__file__).parent
_ROOM = _HERE.parents[1] / "build"
_UP_WITHIN_S = 60.0
_DOWN_WITHIN_S = 5
#: The names of the images in the daemon, which are those of systems; the first has no Python.
IMAGE = "debian-12"
IMAGE_WITH_PYTHON = "debian-12-python"


def why_no_lxd() -> str:
    """Return why there can be no daemon here; "" when there can."""
    if os.geteuid() != 0:
        return "an LXD daemon needs root"
    missing = [
        program for program in ("lxd", "lxc", "mmdebstrap", "mkfs.btrfs", "dnsmasq", "zstd") if shutil.which(program) is None
    ]
    return f"an LXD daemon for tests needs {' and '.join(missing)}" if missing else ""


class LxdDaemon:
    """One daemon that serves when this returns. Use it as a context manager, or ``close`` it."""

    def __init__(self) -> None:
        # short: the path of a socket may have 107 bytes
        self.directory = Path(tempfile.mkdtemp(prefix="lxd-", dir="/var/tmp"))
        self.directory.chmod(0o711)  # for the users of containers
        self._holder: subprocess.Popen[bytes] | None = None
        self._daemon: subprocess.Popen[bytes] | None = None
        try:
            images = _made_images()  # before there are namespaces that would hold on to what is mounted meanwhile
            self._start(images)
        except BaseException:
            self.close()
            raise

    @property
    def environment(self) -> dict[str, str]:
        """What clients of it need in their environment."""
        return {"LXD_DIR": str(self.directory / "lxd")}

    def lxc(self, *arguments: str, check: bool = True) -> str:
        """Run the ``lxc`` program beside the daemon and return what it prints."""
        return self.inside("lxc", *arguments, check=check)

    @contextlib.contextmanager
    def as_remote(self, name: str, client: Path) -> Iterator[dict[str, str]]:
        """Serve over HTTPS, too; yield the environment of a user who has it as a remote, and the client's files in ``client``."""
        with Relay(self._init_pid()) as relay:
            address = f"127.0.0.1:{relay.port}"
            self.lxc("config", "set", "core.https_address", address)
            self.lxc("config", "set", "core.trust_password", "trusted")
            try:
                words = ("remote", "add", name, f"https://{address}", "--accept-certificate", "--password", "trusted")
                self.inside("lxc", *words, environment={"LXD_CONF": str(client)})
                yield {"LXD_CONF": str(client), "LXD_DIR": "/nowhere"}
            finally:
                self.lxc("config", "unset", "core.https_address")

    def delete(self, name: str) -> None:
        """Stop and delete an instance, if it is there."""
        self.lxc("delete", "-f", name, check=False)

    def instances(self) -> list[str]:
        return self.lxc("list", "--format=csv", "-c", "n").split()

    def _start(self, images: Path) -> None:
        state, ready = self.directory / "lxd", self.directory / "ready"
        state.mkdir()
        with (self.directory / "said").open("wb") as said:
            self._holder = subprocess.Popen(
                ["unshare", "-m", "-n", "-p", "--fork", "--kill-child", "--mount-proc", "bash", _HERE / "holder.sh", ready],
                stdin=subprocess.PIPE,  # it ends with us, and all that it holds with it
                stdout=said,
                stderr=said,
                start_new_session=True,
            )
            _wait_for(ready.exists, self._holder)
            self._daemon = subprocess.Popen(
                [*self._enter(), "lxd", "--group", "root"],
                env=os.environ | self.environment,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                start_new_session=True,
            )
        self.inside("lxd", "waitready", f"--timeout={_UP_WITHIN_S:.0f}")
        self.inside("lxd", "init", "--preseed", stdin=(_HERE / "preseed.yaml").read_text())
        for root, name in (("root", IMAGE), ("root-python", IMAGE_WITH_PYTHON)):
            self.lxc("image", "import", str(images / "meta.tar"), str(images / f"{root}.tar.zst"), "--alias", name)

    def _init_pid(self) -> int:
        assert self._holder is not None
        children = Path(f"/proc/{self._holder.pid}/task/{self._holder.pid}/children").read_text()
        return int(children.split()[0])

    def _enter(self) -> list[str]:
        return ["nsenter", "-t", str(self._init_pid()), "-m", "-n", "-p", "--"]

    def inside(
        self, *command: str, stdin: str = "", check: bool = True, environment: Mapping[str, str] = MappingProxyType({})
    ) -> str:
        """Run a program beside the daemon and return what it prints; with ``check`` RuntimeError when it fails."""
        ended = subprocess.run(
            [*self._enter(), *command],
            env={**os.environ, **self.environment, **environment},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=300,
        )
        if check and ended.returncode:
            raise RuntimeError(f"{' '.join(command)}: {ended.stderr}")
        return ended.stdout

    def close(self) -> None:
        """End it with all that it has. Idempotent."""
        if self._daemon is not None and self._daemon.poll() is None:
            for name in self.instances():
                self.delete(name)
            # it may wait for ever for an operation whose terminal something had when its instance went
            self.inside("lxd", "shutdown", f"--timeout={_DOWN_WITHIN_S}", check=False)
            try:
                self._daemon.wait(timeout=_DOWN_WITHIN_S)
            except subprocess.TimeoutExpired:
                os.killpg(self._daemon.pid, signal.SIGKILL)
                self._daemon.wait()
        if self._holder is not None:
            os.killpg(self._holder.pid, signal.SIGKILL)
            self._holder.wait()
            assert self._holder.stdin is not None
            self._holder.stdin.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self) -> "LxdDaemon":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _made_images() -> Path:
    """Return where what image.sh makes is kept; it is made where it was not, or not by this version of it."""
    script = _HERE / "image.sh"
    made = _ROOM / f"lxd-image-{hashlib.sha256(script.read_bytes()).hexdigest()[:12]}"
    if not made.exists():
        _ROOM.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=_ROOM) as making:
            subprocess.run(["bash", script, f"{making}/image"], check=True, capture_output=True, timeout=300)
            with contextlib.suppress(OSError):  # another has made it meanwhile
                Path(making, "image").rename(made)
    return made


def _wait_for(fact: Callable[[], bool], process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + _UP_WITHIN_S
    while not fact():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError("the namespaces for LXD could not be made")
        time.sleep(0.01)
