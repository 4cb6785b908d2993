"""Run a command in a sandbox that lives as long as it does: ``sandbox_entry ATTEMPT TREE DIRECTORY IMAGE COMMAND…``.

The command finds the work tree at /outspread, where what it changes stays; all else that it changes is gone with the sandbox.
This process ends as the command does. What kept it from beginning is left in the file FAILURE of ATTEMPT.
"""

# pathlib takes 10 ms to import, half of what a start costs:
# ruff: noqa: PTH102, PTH112, PTH118, PTH123

import os
import signal
import sys

from outspread.machines.sandbox import kernel
from outspread.machines.sandbox.boot import Boot
from outspread.machines.sandbox.host_mounts import parse_mounts
from outspread.machines.sandbox.namespaces import enter_namespaces
from outspread.machines.sandbox.refusal import explain
from outspread.machines.sandbox.root_view import RootView

FAILURE = "sandbox-failure"
PLACE = "/outspread"

_DISK = "50%"
_HOSTNAME = "sandbox"
_ENDED, _FAILED = b"ended ", b"failed "
_MESSAGE_BYTES = 4096
_DEFAULT_SIGNALS = (1, 2, 3, 13, 15, 25)


def main() -> None:
    """Run the command that the arguments name."""
    attempt, tree, directory, image = sys.argv[1:5]
    command = sys.argv[5:]
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # for the command, with which all this ends
    try:
        message = _run(tree, directory, image, command)
    except OSError as error:
        message = _FAILED + explain(error, "make a sandbox").encode()
    if message.startswith(_ENDED):
        _end_as(int(message.removeprefix(_ENDED)))
    with open(os.path.join(attempt, FAILURE), "wb") as file:
        file.write(message.removeprefix(_FAILED) or b"cannot make a sandbox: its first process was killed")
    sys.exit(1)


def _run(tree: str, directory: str, image: str, command: "list[str]") -> bytes:
    """Return what the sandbox's first process had to say."""
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        mounts = parse_mounts(file.read())
    privileged = enter_namespaces()
    kernel.mount("none", "/", flags=kernel.MS_REC | kernel.MS_SLAVE)
    inside = os.open(tree, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)  # before the view can hide it
    view = RootView(image, f"size={_DISK}", mounts, user_xattr=not privileged, say=_say)
    if not os.path.isdir(view.root + PLACE):
        os.mkdir(view.root + PLACE)
    kernel.bind(f"/proc/self/fd/{inside}", view.root + PLACE)
    os.close(inside)
    boot = Boot(root=view.root, scratch=view.scratch, disk=_DISK, hostname=_HOSTNAME, number=0, resolver=_resolver())
    kernel.unshare(kernel.CLONE_NEWPID)
    reading, writing = os.pipe()
    init = os.fork()
    if init == 0:
        os.close(reading)
        _be_init(boot, os.path.join(PLACE, directory), command, writing)
    os.close(writing)
    message = os.read(reading, _MESSAGE_BYTES)
    os.waitpid(init, 0)
    return message


def _be_init(boot: Boot, directory: str, command: "list[str]", writing: int) -> None:
    """Be process 1 of the sandbox until the command has ended. Never returns."""
    try:
        os.set_inheritable(writing, False)
        boot.enter()
        os.write(writing, _ENDED + b"%d" % _status_of(directory, command))
    except OSError as error:
        os.write(writing, (_FAILED + explain(error, "make a sandbox").encode())[:_MESSAGE_BYTES])
    finally:
        os._exit(0)


def _status_of(directory: str, command: "list[str]") -> int:
    """Run the command and return its wait status."""
    try:
        os.chdir(directory)
        pid = os.posix_spawnp(command[0], command, os.environ, setsid=True, setsigdef=_DEFAULT_SIGNALS)
    except OSError as error:
        _say(f"cannot start {command[0]}: {error.strerror}")
        return (127 if isinstance(error, (FileNotFoundError, NotADirectoryError)) else 126) << 8
    while True:
        ended, status = os.waitpid(-1, 0)
        if ended == pid:
            return status


def _end_as(status: int) -> None:
    """End as the command did."""
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        if -code != signal.SIGKILL:
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)


def _say(text: str) -> None:
    """Say something where the command prints."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def _resolver() -> bytes:
    try:
        with open("/etc/resolv.conf", "rb") as file:
            return file.read()
    except OSError:  # a host without name servers
        return b""
