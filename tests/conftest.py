"""What every room's tests may use: hosts that SSH reaches, and the image of a small Linux to emulate."""

import asyncio
import contextlib
import inspect
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.guests.guest_image import make_image, why_no_guests
from tests.hosts.host import Host, why_no_hosts
from tests.lxd.daemon import LxdDaemon, why_no_lxd


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a test that is a coroutine in an event loop of its own."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    asyncio.run(pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}))
    return True


@pytest.fixture
def new_host() -> Iterator[Callable[..., Host]]:
    """Make test hosts, with the arguments of ``Host``; fail if a process of one is left when the test is over."""
    if reason := why_no_hosts():
        pytest.skip(reason)
    made: list[Host] = []

    def make(**options: object) -> Host:
        made.append(Host(**options))  # type: ignore[arg-type] # those of Host, checked there
        return made[-1]

    yield make
    for host in made:
        host.end()
    assert [host.processes() for host in made if host.processes()] == []


@pytest.fixture(scope="session")
def guest_image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A disk image with a small Linux, for this session; nobody may change it."""
    if reason := why_no_guests():
        pytest.skip(reason)
    return make_image(tmp_path_factory.mktemp("guest"))


@pytest.fixture(scope="session")
def guest_home(guest_image: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of a user who has the image as ``debian-12``, and saved states that all tests share.

    Fails if a QEMU of that user is left at the end.
    """
    home = tmp_path_factory.mktemp("home")
    images = home / ".spread/qemu"
    images.mkdir(parents=True)
    (images / "debian-12.img").symlink_to(guest_image)
    yield {
        "HOME": str(home),
        "OUTSPREAD_STATE": str(home / "state"),
        "XDG_CACHE_HOME": str(home / "cache"),
        "XDG_DATA_HOME": str(home / "data"),
        # software emulation is what these tests are timed for, and there everywhere
        "SPREAD_QEMU_KVM": "0",
    }
    left = qemus_of(tmp_path_factory.getbasetemp())
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert left == []


def qemus_of(directory: Path) -> list[int]:
    """Return the QEMUs whose command lines name something below ``directory``."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                words = (entry / "cmdline").read_bytes()
                if words.startswith(b"qemu-system-") and f"={directory}/".encode() in words:
                    found.append(int(entry.name))
    return found


@pytest.fixture
def guest_user(guest_home: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Make this process one of that user's."""
    for name, value in guest_home.items():
        monkeypatch.setenv(name, value)
    return guest_home


@pytest.fixture(scope="session")
def lxd() -> Iterator[LxdDaemon]:
    """A real LXD daemon, with an image ``debian-12`` that has no Python."""
    if reason := why_no_lxd():
        pytest.skip(reason)
    with LxdDaemon() as daemon:
        yield daemon
