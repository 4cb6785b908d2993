"""The parts of the qemu backend that need a QEMU, but no system in it."""

import asyncio
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from outspread.errors import ConnectionLostError, InfrastructureError, NotReadyError, UserError
from outspread.machines.contract import Machine, MachineRequest
from outspread.machines.qemu.acceleration import choose_accelerator, runs_a_guest
from outspread.machines.qemu.architectures import architecture_named
from outspread.machines.qemu.backend import QemuBackend
from outspread.machines.qemu.guest import Accelerator
from outspread.project.model import Backend, System, Timeouts
from outspread.worker.commands.detected_dimensions import detected_dimensions

pytestmark = pytest.mark.skipif(shutil.which("qemu-system-x86_64") is None, reason="there is no qemu-system-x86_64")


@pytest.fixture
def images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The images of a user; one of them is an empty disk."""
    for name in ("STATE", "CACHE", "DATA"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name.lower()))
    monkeypatch.delenv("OUTSPREAD_STATE", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SPREAD_QEMU_KVM", "0")
    images = tmp_path / "data/outspread/qemu"
    images.mkdir(parents=True)
    (images / "empty.raw").write_bytes(bytes(1024 * 1024))
    return images


def request_for(number: int = 0, **settings: object) -> MachineRequest:
    system = System(name="empty", backend="qemu", image="empty", **settings)  # type: ignore[arg-type] # those of System
    backend = Backend(name="qemu", type="qemu", systems={"empty": system}, memory_bytes=32 * 2**20)
    return MachineRequest(f"empty{os.getpid()}x{number}", "run", "project", "/", backend, system)


def ignore(_text: str) -> None:
    pass


def test_eight_at_once_get_ports_of_their_own(images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        backends = [QemuBackend() for _ in range(8)]  # nothing that they share settles who gets which
        machines = await asyncio.gather(
            *(backend.allocate(request_for(number), ignore) for number, backend in enumerate(backends))
        )
        try:
            assert len({machine.address for machine in machines}) == 8
            assert {machine.machine_id for machine in await backends[0].existing()} == {one.machine_id for one in machines}
            monkeypatch.setenv("OUTSPREAD_STATE", "/another/record")
            assert await QemuBackend().existing() == []
        finally:
            await asyncio.gather(*(QemuBackend().discard(machine) for machine in machines))
        assert await backends[0].existing() == []

    asyncio.run(main())


def test_what_qemu_says_when_it_will_not_start_is_in_the_error(images: Path) -> None:
    with pytest.raises(InfrastructureError, match=r"QEMU says:\n.*'no-such-nic' is not a valid device"):
        asyncio.run(QemuBackend().allocate(request_for(device_backends=(("network", "no-such-nic"),)), ignore))


def test_a_machine_that_does_not_answer_says_so_and_its_serial_log_is_kept(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("outspread.machines.qemu.backend._ONE_TRY_S", 0.3)

    async def main() -> None:
        backend = QemuBackend()
        machine = await backend.allocate(request_for(), ignore)
        directory = tmp_path / "state/outspread/qemu" / machine.machine_id
        (directory / "serial.log").write_text("Loading...\nno disk\n")
        with pytest.raises(NotReadyError, match=re.escape(f"its serial log, {directory}/serial.log:\nLoading...\nno disk\n")):
            await backend.connect(machine)
        os.kill(int(machine.data["pid"]), signal.SIGKILL)
        with pytest.raises(ConnectionLostError, match="its QEMU has ended") as caught:
            await backend.connect(machine)
        assert not isinstance(caught.value, NotReadyError)
        await backend.discard(machine)
        assert sorted(path.name for path in directory.iterdir()) == ["qemu.log", "serial.log"]

    asyncio.run(main())


def test_a_state_that_cannot_be_saved_leaves_nothing(images: Path, tmp_path: Path) -> None:
    """The empty disk boots nothing that would greet."""
    with pytest.raises(InfrastructureError, match=r"no SSH server greets within 0\.5 s"):
        asyncio.run(QemuBackend().allocate(request_for(saved_state=True, timeouts=Timeouts(wait_s=0.5)), ignore))
    left = [path.name for path in (tmp_path / "cache/outspread/qemu/states").iterdir()]
    assert [name for name in left if not name.endswith(".lock")] == []
    assert asyncio.run(QemuBackend().existing()) == []


def test_an_image_that_is_not_there_is_the_users_error(images: Path, tmp_path: Path) -> None:
    (images / "empty.raw").unlink()
    with pytest.raises(UserError, match=re.escape(f"cannot find qemu image at {tmp_path}/.spread/qemu/empty.img")):
        asyncio.run(QemuBackend().allocate(request_for(), ignore))


@pytest.fixture
def spreads() -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """A QEMU as Spread starts it, and the port that it forwards; stopped at its first instruction."""
    port = 59399
    arguments = ["-accel", "tcg", "-S", "-snapshot", "-m", "32", "-net", "nic", "-display", "none", "-serial", "null"]
    arguments += ["-monitor", "null", "-net", f"user,hostfwd=tcp:127.0.0.1:{port}-:22"]
    with subprocess.Popen(["qemu-system-x86_64", *arguments]) as process:
        yield process, port
        process.kill()


def test_a_machine_that_spread_noted_is_discarded_by_its_number_and_port(
    images: Path, spreads: tuple[subprocess.Popen[bytes], int]
) -> None:
    process, port = spreads

    def noted(address: str) -> Machine:
        return Machine("new", "qemu", "qemu", "empty", address=address, data={"pid": str(process.pid)})

    asyncio.run(QemuBackend().discard(noted("localhost:59300")))  # the number was used again, for another port
    assert process.poll() is None
    asyncio.run(QemuBackend().discard(noted(f"localhost:{port}")))
    assert process.wait(timeout=10) in (0, -signal.SIGTERM)


def test_the_small_guest_shows_whether_processors_run_guests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = "qemu-system-x86_64"
    assert asyncio.run(runs_a_guest(program, Accelerator.TCG, "max"))
    assert not asyncio.run(runs_a_guest(program, Accelerator.TCG, "no-such-processor"))
    assert not asyncio.run(runs_a_guest(program, Accelerator.TCG, "486"))  # which has no 64-bit mode


@pytest.mark.skipif(not Path("/dev/kvm").exists(), reason="there is no /dev/kvm here")
def test_kvm_is_chosen_where_a_guest_runs_and_asked_once_a_boot(tmp_path: Path) -> None:
    x86 = architecture_named("x86_64")
    assert x86 is not None
    works = asyncio.run(runs_a_guest(x86.program, Accelerator.KVM, "host"))
    expected = Accelerator.KVM if works else Accelerator.TCG
    for _ in range(2):
        assert asyncio.run(choose_accelerator(x86, x86, asked=None, cache=tmp_path)) is expected
    answer = tmp_path / "kvm.json"
    known = answer.read_text()
    assert f'"works":{str(works).lower()}' in known
    answer.write_text(known.replace(str(works).lower(), str(not works).lower()))
    chosen = asyncio.run(choose_accelerator(x86, x86, asked=None, cache=tmp_path))
    assert chosen is not expected  # as the file says: nothing was run
    answer.write_text(known.replace('"boot_id":"', '"boot_id":"another-'))
    assert asyncio.run(choose_accelerator(x86, x86, asked=None, cache=tmp_path)) is expected


def test_a_worker_says_that_it_has_kvm_where_it_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opens = os.access("/dev/kvm", os.R_OK | os.W_OK)
    works = opens and asyncio.run(runs_a_guest("qemu-system-x86_64", Accelerator.KVM, "host"))
    assert ("kvm" in detected_dimensions(tmp_path)) is works
    monkeypatch.setenv("PATH", str(tmp_path))  # no QEMU to try it with
    assert ("kvm" in detected_dimensions(tmp_path)) is opens
