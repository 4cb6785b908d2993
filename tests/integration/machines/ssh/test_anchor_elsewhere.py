"""The anchor as it runs on other machines: other versions of Python, nothing of ours installed; here without SSH."""

import secrets
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from outspread.machines import agent
from outspread.machines.ssh import numbered_stream as wire
from outspread.machines.ssh.start_command import anchor_program, bringer_program

READ_PROGRAM = "import sys;b=sys.stdin.buffer;exec(b.read(int(b.readline())))"


class Connection:
    """A program on the other side of two pipes."""

    def __init__(self, python: str, program: bytes, token: str) -> None:
        argv = [python, "-IS", "-c", READ_PROGRAM]
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, env={"LC_ALL": "C"})
        self._parser = wire.FrameParser()
        self.write(program)
        assert self._read(len(wire.mark(token))) == wire.mark(token)
        self._frames = self._come()

    def write(self, data: bytes) -> None:
        assert self.process.stdin is not None
        unwritten = memoryview(data)
        while unwritten:
            unwritten = unwritten[self.process.stdin.write(unwritten) :]

    def _read(self, size: int) -> bytes:
        assert self.process.stdout is not None
        return self.process.stdout.read(size) or b""

    def _come(self) -> Iterator[tuple[bytes, bytes]]:
        while data := self._read(4096):
            yield from self._parser.feed(data)

    def next(self, kind: bytes) -> bytes:
        """Return the payload of the next frame of a kind; the others are passed over."""
        return next(payload for found, payload in self._frames if found == kind)

    def data(self, until: bytes) -> bytes:
        """Return what comes of the stream, up to and with some bytes."""
        got = b""
        while until not in got:
            got += self.next(wire.DATA)
        return got

    def cut(self) -> None:
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()


def run_frame(script: bytes) -> bytes:
    argv = b"/bin/bash\0-"
    return agent.frame(agent.RUN, (60_000).to_bytes(8, "big") + b"\0" + len(argv).to_bytes(4, "big") + argv + script)


@pytest.mark.parametrize("version", ["3.8", "3.9", "3.10", "3.11", "3.12", "3.13", "3.14"])
def test_every_python_from_3_8_on_holds_the_stream(version: str, tmp_path: Path) -> None:
    found = [shutil.which(f"python{version}"), *map(str, Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))]
    usable = [python for python in found if python and subprocess.run([python, "-c", ""], capture_output=True).returncode == 0]
    if not usable:
        pytest.skip(f"there is no Python {version} here")
    token = secrets.token_hex(8)
    first = Connection(usable[0], anchor_program(token), token)
    hello = first.next(wire.HELLO)
    assert hello[:8] == bytes(8)
    assert b"boot_id=" in hello
    script = run_frame(f"echo one; until [ -e {tmp_path}/go ]; do sleep 0.01; done; echo two; exit 3".encode())
    first.write(wire.frame(wire.DATA, script))
    before = first.data(b"one\n")
    first.cut()
    (tmp_path / "go").touch()

    second = Connection(usable[0], bringer_program(token), token)
    assert int.from_bytes(second.next(wire.HELLO)[:8], "big") == len(script)
    second.write(wire.frame(wire.HELLO, wire.position(len(before))))
    assert second.data(agent.END) == agent.frame(agent.OUTPUT, b"two\n") + agent.frame(agent.END, b"e\3" + bytes(4))
    second.write(wire.frame(wire.GOODBYE))
    assert second.process.wait(10) == 0
    assert first.process.wait(10) == 0
    second.cut()

    third = Connection(usable[0], bringer_program(token), token)
    assert b"why=its agent is gone" in third.next(wire.NONE)
    assert third.process.wait(10) == 0
    third.cut()
