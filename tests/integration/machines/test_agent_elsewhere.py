"""The agent as it will run on other machines: one file, other versions of Python, nothing else imported."""

import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from outspread.machines import agent

SOURCE = Path(agent.__file__)
PACKAGE_PARENT = SOURCE.parents[2]


def answers(python: str, *requests: bytes) -> tuple[list[tuple[bytes, bytes]], int]:
    """Return the frames that an agent sends, and its exit code."""
    ours, theirs = socket.socketpair()
    frames: list[tuple[bytes, bytes]] = []

    def take() -> bytes:
        header = stream.read(5)
        frames.append((header[:1], stream.read(int.from_bytes(header[1:], "big"))))
        return frames[-1][0]

    argv = [python, "-I", "-S", str(SOURCE)]
    with (
        ours,
        theirs,
        ours.makefile("rb") as stream,
        subprocess.Popen(argv, stdin=theirs.fileno(), env={"LC_ALL": "C"}) as process,
    ):
        theirs.close()
        ours.settimeout(10)
        assert take() == agent.READY
        for request in requests:
            ours.sendall(agent.frame(agent.RUN, request))
            while take() not in (agent.END, agent.REFUSED):
                pass
        ours.shutdown(socket.SHUT_RDWR)
        return frames[1:], process.wait(10)


def request(script: bytes, *argv: bytes, limit_ms: int = 10_000) -> bytes:
    joined = b"\0".join(argv or (b"/bin/bash", b"-"))
    return limit_ms.to_bytes(8, "big") + b"\0" + len(joined).to_bytes(4, "big") + joined + script


@pytest.mark.parametrize("version", ["3.8", "3.9", "3.10", "3.11", "3.12", "3.13", "3.14"])
def test_every_python_from_3_8_on_can_run_it(version: str) -> None:
    found = [shutil.which(f"python{version}"), *map(str, Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))]
    usable = [python for python in found if python and subprocess.run([python, "-c", ""], capture_output=True).returncode == 0]
    if not usable:
        pytest.skip(f"there is no Python {version} here")
    # the first leaves a process behind, so that the second is served by another worker
    frames, code = answers(
        usable[0], request(b"echo out; (setsid sleep 1 >/dev/null 2>&1 &)"), request(b"exit 3"), request(b"", b"/no")
    )
    kinds = [kind for kind, _ in frames]
    assert kinds == [agent.OUTPUT, agent.END, agent.END, agent.REFUSED]
    assert frames[0][1] == b"out\n"
    assert [payload[:2] for kind, payload in frames if kind == agent.END] == [b"e\0", b"e\3"]
    assert code == 0


def test_it_ends_with_its_stream() -> None:
    assert answers(sys.executable) == ([], 0)


@pytest.mark.parametrize("module", ["outspread.machines.agent", "outspread.machines.sandbox.keeper"])
def test_what_starts_with_every_machine_imports_next_to_nothing(module: str) -> None:
    program = f"import sys; sys.path.insert(0, {str(PACKAGE_PARENT)!r}); import {module}; print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    slow = {"asyncio", "dataclasses", "enum", "json", "msgspec", "pathlib", "re", "signal", "socket", "subprocess", "typing"}
    assert loaded & slow == set()
    of_the_sandbox = ("boot", "host_mounts", "keeper", "kernel", "limits", "namespaces", "refusal", "root_view")
    assert {name for name in loaded if name.startswith("outspread.")} <= {
        "outspread.machines",
        "outspread.machines.agent",
        "outspread.machines.sandbox",
        *(f"outspread.machines.sandbox.{name}" for name in of_the_sandbox),
        "outspread.machines.process_identity",
    }
