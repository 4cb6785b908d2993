"""What happens when the connection, the agent or the machine goes away in the middle of something (faults F9, F17, F18)."""

import asyncio
import io
import os
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.hosts.host import Host

from outspread.errors import ConnectionLostError, InfrastructureError
from outspread.machines.contract import ScriptEnd

OpenShell = Callable[..., Any]
Out = Callable[..., Any]
Within = Callable[[Callable[[], bool]], Any]
NewHost = Callable[..., Host]

LINES = 200_000
NUMBERED = f"seq -f 'line %.0f' {LINES}; exit 7"
EXPECTED = "".join(f"line {number}\n" for number in range(1, LINES + 1)).encode()


def ours(host: Host) -> list[str]:
    """Return the processes on a host that belong to an agent."""
    return [words for words in host.processes().values() if words.startswith("outspread-") or "sys.stdin" in words]


class Log:
    """Takes output; does something once, when so much of it has come."""

    def __init__(self, at_bytes: int, do: Callable[[], object]) -> None:
        self.pieces: list[bytes] = []
        self._left = at_bytes
        self._do = do

    def add(self, piece: bytes) -> None:
        self.pieces.append(piece)
        before, self._left = self._left, self._left - len(piece)
        if before > 0 >= self._left:
            self._do()

    @property
    def text(self) -> bytes:
        return b"".join(self.pieces)


@pytest.mark.parametrize("username", ["root", "tester"])
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
@pytest.mark.parametrize("at_bytes", [1, 1_000_000, len(EXPECTED) - 10])
def test_the_log_goes_on_without_gap_or_repeat(
    open_shell: OpenShell, new_host: NewHost, how: signal.Signals, at_bytes: int, username: str
) -> None:
    host = new_host()

    async def main() -> None:
        # silence is noticed after three unanswered questions
        async with open_shell(host, username=username, keepalive_s=0.2) as shell:
            log = Log(at_bytes, lambda: host.signal_connections(how))
            end = await shell.run(NUMBERED.encode(), output=log.add, kill_after_s=60)
            assert end == ScriptEnd(exit_code=7)
            assert log.text == EXPECTED

    asyncio.run(main())


def test_a_script_that_says_nothing_meanwhile_is_not_disturbed(
    open_shell: OpenShell, out: Out, new_host: NewHost, within: Within
) -> None:
    host = new_host()

    async def main() -> None:
        async with open_shell(host) as shell:
            log = Log(1, lambda: host.signal_connections(signal.SIGKILL))
            script = b"echo begun; until [ -e /run/go ]; do sleep 0.01; done; echo done"
            running = asyncio.ensure_future(shell.run(script, output=log.add, kill_after_s=60))
            await within(lambda: bool(log.pieces))
            async with open_shell(host) as other:
                await out(other, "touch /run/go")
            assert (await running).passed
            assert log.text == b"begun\ndone\n"
            assert (await out(shell, "echo next"))[1] == b"next\n"

    asyncio.run(main())


def test_a_tree_arrives_whole(open_shell: OpenShell, out: Out, new_host: NewHost) -> None:
    host = new_host()
    content = os.urandom(30_000_000)

    class Archive(io.BytesIO):
        cut = False

        def read(self, size: int | None = -1, /) -> bytes:
            if not self.cut and self.tell() > 10_000_000 and size and size > 0:
                self.cut = True
                host.signal_connections(signal.SIGKILL)
            return super().read(size)

    archive = Archive()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        info = tarfile.TarInfo("big")
        info.size = len(content)
        tar.addfile(info, io.BytesIO(content))

    async def main(back: Path) -> None:
        async with open_shell(host) as shell:
            archive.cut = True  # not while samples are taken
            began = archive.tell()
            assert began
            archive.cut = False
            await shell.send_tree(archive, "/var/sent")
            await shell.fetch("/var/sent", ["big"], back)

    back = Path(f"/dev/shm/outspread-test-{os.getpid()}")
    try:
        asyncio.run(main(back))
        assert (back / "big").read_bytes() == content
    finally:
        (back / "big").unlink(missing_ok=True)
        back.rmdir()
    assert archive.cut


def test_the_limit_is_kept_while_nobody_is_connected(open_shell: OpenShell, out: Out, new_host: NewHost) -> None:
    host = new_host()

    async def main() -> None:
        async with open_shell(host) as shell:
            log = Log(1, lambda: host.signal_connections(signal.SIGKILL))
            end = await shell.run(b"echo begun; setsid sleep 987 & sleep 988", output=log.add, kill_after_s=0.5)
            assert end.timed_out
            assert (await out(shell, "pgrep sleep || echo none"))[1] == b"none\n"

    asyncio.run(main())


def test_a_connection_that_breaks_again_at_once_is_given_up(open_shell: OpenShell, out: Out, new_host: NewHost) -> None:
    host = new_host()

    async def cut(shell: Any) -> bytes:
        log = Log(1, lambda: host.signal_connections(signal.SIGKILL))
        await shell.run(b"echo; sleep 0.1", output=log.add, kill_after_s=60)
        return log.text

    async def main() -> None:
        async with open_shell(host) as shell:
            assert await cut(shell) == b"\n"
            for _ in range(2):
                with pytest.raises(ConnectionLostError, match="the connection broke"):
                    await cut(shell)

    asyncio.run(main())


def test_a_machine_that_dies_is_lost_with_its_cause(open_shell: OpenShell, new_host: NewHost) -> None:
    host = new_host()

    async def main() -> None:
        async with open_shell(host, remake_within_s=0.5) as shell:
            with pytest.raises(ConnectionLostError, match=r"lost .*; then: cannot connect to .*nothing listens"):
                await shell.run(b"echo; sleep 987", output=Log(1, host.kill).add, kill_after_s=60)

    asyncio.run(main())


def test_a_machine_that_falls_silent_is_lost_with_its_cause(open_shell: OpenShell, new_host: NewHost) -> None:
    host = new_host()

    def freeze() -> None:
        for pid in host.processes():
            os.kill(pid, signal.SIGSTOP)

    async def main() -> None:
        options = {"remake_within_s": 0.6, "keepalive_s": 0.1, "connect_within_s": 0.2}
        async with open_shell(host, **options) as shell:
            with pytest.raises(ConnectionLostError, match=r"not responding to keepalive.*; then: .*no answer within 0\.2 s"):
                await shell.run(b"echo; sleep 987", output=Log(1, freeze).add, kill_after_s=60)

    asyncio.run(main())


def test_a_machine_that_boots_by_itself_is_lost_with_its_cause(open_shell: OpenShell, new_host: NewHost) -> None:
    host = new_host()

    async def main() -> None:
        async with open_shell(host) as shell:
            with pytest.raises(ConnectionLostError, match="then: it has booted again"):
                await shell.run(b"reboot; sleep 987", output=print, kill_after_s=60)

    asyncio.run(main())
    host.wait_for_boot()


def test_another_machine_at_the_same_address_is_not_trusted(open_shell: OpenShell, new_host: NewHost) -> None:
    host = new_host()

    def replace() -> None:
        host.kill()
        new_host(address=host.address, port=host.port)

    async def main() -> None:
        async with open_shell(host) as shell:
            with pytest.raises(ConnectionLostError, match="its host key is not the one it had before"):
                await shell.run(b"echo; sleep 987", output=Log(1, replace).add, kill_after_s=60)

    asyncio.run(main())


def test_without_an_agent_a_lost_connection_is_the_end(open_shell: OpenShell, out: Out, new_host: NewHost) -> None:
    host = new_host(python=False)

    async def main() -> None:
        async with open_shell(host) as shell:
            cut = Log(1, lambda: host.signal_connections(signal.SIGKILL))
            with pytest.raises(ConnectionLostError, match="the connection broke"):
                await shell.run(b"echo; sleep 987", output=cut.add, kill_after_s=60)
            with pytest.raises(ConnectionLostError):
                await out(shell, "true")

    asyncio.run(main())


# --- nothing left behind --------------------------------------------------------------------------------------------


def test_a_connection_that_stalls_holds_the_script_back(open_shell: OpenShell, new_host: NewHost, within: Within) -> None:
    host = new_host()
    lines = 5_000_000

    def pids(words: str) -> list[int]:
        return [pid for pid, known in host.processes().items() if words in known]

    def written() -> str:
        return Path(f"/proc/{pids(f'seq {lines}')[0]}/io").read_text()

    async def main() -> None:
        async with open_shell(host, keepalive_s=60) as shell:
            log = Log(1, lambda: host.signal_connections(signal.SIGSTOP))
            running = asyncio.ensure_future(shell.run(f"seq {lines}".encode(), output=log.add, kill_after_s=60))
            await within(lambda: bool(log.pieces))
            before = ""
            while (now := written()) != before:  # it stands still when everything in between is full
                before = now
                await asyncio.sleep(0.1)
            for pid in pids("outspread-"):
                peak = Path(f"/proc/{pid}/status").read_text().partition("VmHWM:")[2].split()[0]
                assert int(peak) < 64 * 1024
            host.signal_connections(signal.SIGCONT)
            assert (await running).passed
            assert log.text == b"".join(b"%d\n" % number for number in range(1, lines + 1))

    asyncio.run(main())


@pytest.mark.parametrize("username", ["root", "tester"])
def test_closing_ends_the_agent_and_leaves_nothing(
    open_shell: OpenShell, out: Out, new_host: NewHost, within: Within, username: str
) -> None:
    host = new_host()

    async def main() -> None:
        listing = "find /tmp /run /dev/shm /root /home /var/tmp -maxdepth 2 -newer /proc/1 | sort"
        async with open_shell(host, username=username) as shell:
            assert ours(host)
            assert (await out(shell, f"{listing} | grep -v '^/tmp$'"))[1] == b""
            left = asyncio.ensure_future(shell.run(b"sleep 987", output=print, kill_after_s=60))
            await within(lambda: "sleep 987" in host.processes().values())
        with pytest.raises(ConnectionLostError):
            await left
        assert not ours(host)
        assert "sleep 987" not in host.processes().values()

    asyncio.run(main())


_CLIENT = """
import asyncio, sys
from outspread.machines.ssh import start_command
from outspread.machines.ssh.shell import open_ssh_shell
from outspread.machines.ssh.target import SshTarget

start_command._START = "\\nsys.modules['outspread.machines.ssh.anchor'].ABANDONED_AFTER_S = 0.3" + start_command._START

async def main():
    shell = await open_ssh_shell(SshTarget(sys.argv[1], int(sys.argv[2]), password=sys.argv[3]))
    await shell.run(b"echo; setsid sleep 987 & sleep 988", output=lambda _: print("runs", flush=True), kill_after_s=60)

asyncio.run(main())
"""


def test_what_nobody_comes_back_to_ends(new_host: NewHost) -> None:
    host = new_host()
    client = subprocess.Popen(
        [sys.executable, "-c", _CLIENT, host.address, str(host.port), host.password], stdout=subprocess.PIPE, text=True
    )
    assert client.stdout is not None
    assert client.stdout.readline() == "runs\n"
    assert ours(host)
    client.kill()
    client.wait()
    client.stdout.close()
    deadline = time.monotonic() + 10
    while ours(host) or any("sleep" in words for words in host.processes().values()):
        assert time.monotonic() < deadline
        time.sleep(0.01)


# --- reboot ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("username", ["root", "tester"])
def test_a_reboot_keeps_the_pinned_key(open_shell: OpenShell, out: Out, new_host: NewHost, username: str) -> None:
    host = new_host()

    async def main() -> None:
        async with open_shell(host, username=username) as shell:
            before = shell.host_key
            _, first = await out(shell, "cat /proc/sys/kernel/random/boot_id; echo kept > /var/kept")
            await shell.reboot(within_s=30)
            _, second = await out(shell, "cat /proc/sys/kernel/random/boot_id /var/kept")
            assert shell.host_key == before
            assert first != second.splitlines(keepends=True)[0]
            assert second.endswith(b"kept\n")

    asyncio.run(main())


def test_a_machine_that_does_not_go_down_is_not_back(open_shell: OpenShell, out: Out, new_host: NewHost) -> None:
    host = new_host()

    async def main() -> None:
        async with open_shell(host) as shell:
            await out(shell, "printf '#!/bin/sh\\n' > /usr/sbin/reboot")
            with pytest.raises(InfrastructureError, match=r"cannot reboot .*: it is not back after 1 s; it has not gone down"):
                await shell.reboot(within_s=1)

    asyncio.run(main())


def test_a_machine_that_cannot_reboot_says_why(open_shell: OpenShell, out: Out, new_host: NewHost) -> None:
    host = new_host()

    async def main() -> None:
        async with open_shell(host) as shell:
            await out(shell, "printf '#!/bin/sh\\necho no way; exit 1\\n' > /usr/sbin/reboot")
            with pytest.raises(InfrastructureError, match=r"cannot reboot .*: no way"):
                await shell.reboot(within_s=30)

    asyncio.run(main())


def test_a_machine_that_does_not_come_back(open_shell: OpenShell, out: Out, new_host: NewHost) -> None:
    host = new_host()

    async def main() -> None:
        async with open_shell(host) as shell:
            await out(shell, "printf '#!/bin/sh\\nexec poweroff\\n' > /usr/sbin/reboot")
            with pytest.raises(InfrastructureError, match=r"cannot reboot .*: it is not back after 1 s; .*nothing listens"):
                await shell.reboot(within_s=1)

    asyncio.run(main())
