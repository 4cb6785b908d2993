"""The keeper: the process outside a sandbox that makes it, boots it again, and removes all of it when it ends.

It ends when it is told to, when the process that asked for it is gone, and when the sandbox's own process 1 is; if the keeper
itself is killed, the kernel kills the sandbox, and the next keeper sweeps the control groups.

Descriptor 0 is a socket to the one who asked: whole messages, ``reboot`` to us; ``say TEXT``, ``booted`` and
``failed TEXT`` from us.
Descriptor 1 is the agent's end of its stream. Arguments are ``key=value``, the keys in ``KeeperOptions``.
"""

# pathlib takes 10 ms to import, half of what a start costs:
# ruff: noqa: PTH123

import os
import select
import sys

from outspread.machines import agent
from outspread.machines.sandbox import boot, kernel
from outspread.machines.sandbox.host_mounts import parse_mounts
from outspread.machines.sandbox.limits import Limits
from outspread.machines.sandbox.namespaces import enter_namespaces
from outspread.machines.sandbox.refusal import explain
from outspread.machines.sandbox.root_view import RootView

_SIGHUP, _SIGINT, _SIGKILL, _SIGTERM = 1, 2, 9, 15
_ENDING_SIGNALS = (_SIGHUP, _SIGINT, _SIGTERM)
_MESSAGE_BYTES = 4096


class Keeper:
    """One sandbox, from nothing to nothing."""

    def __init__(self, control: int, stream: int, options: dict[str, str]) -> None:
        self._control = control
        self._stream = stream
        self._options = options
        self._signals = kernel.signal_descriptor(_ENDING_SIGNALS)
        self._limits: Limits | None = None
        self._doing = "enter namespaces"

    def keep(self) -> int:
        """Make the sandbox, keep it and remove it; return an exit code."""
        try:
            view = self._make()
            number = 0
            while self._boot(view, number):
                number += 1
        except Exception as error:  # noqa: BLE001 - the last line of defence: told to the one who asked
            self._fail(error)
            return 1
        finally:
            if self._limits is not None:
                self._limits.remove()
        return 0

    def _make(self) -> RootView:
        kernel.adopt_orphans()
        mounts_text = _read("/proc/self/mountinfo")
        privileged = self._enter_namespaces()
        mounts = parse_mounts(mounts_text)
        self._doing = "show the root tree"
        view = RootView(self._options["image"], f"size={self._options['disk']}", mounts, user_xattr=not privileged, say=self._say)
        self._doing = "limit memory and processes"
        wanted = {name: int(self._options[name]) for name in ("memory", "pids")}
        self._limits = Limits(mounts, _read("/proc/self/cgroup"), wanted)
        if missing := sorted(set(wanted) - self._limits.made):
            self._say(f"no limit on {' and '.join(missing)}: no control group can be made for it here")
        return view

    def _enter_namespaces(self) -> bool:
        """Get a mount namespace of our own; return whether we needed no user namespace for it."""
        self._doing = "enter namespaces"
        privileged = enter_namespaces()
        if not privileged:
            self._say("without root there is only one user in the sandbox: what changes owners (a package manager) fails")
        self._doing = "set up mounts"
        kernel.mount("none", "/", flags=kernel.MS_REC | kernel.MS_SLAVE)
        return privileged

    def _boot(self, view: RootView, number: int) -> bool:
        """Boot once and wait for the end; return whether to boot again."""
        self._doing = "boot"
        this_boot = boot.Boot(
            root=view.root,
            scratch=view.scratch,
            disk=self._options["disk"],
            hostname=self._options["hostname"],
            number=number,
            resolver=_host_resolver(),
        )
        parent = os.fork()
        if parent == 0:
            self._be_parent_of_init(this_boot)
        if number == 0 and self._limits is not None:
            self._limits.sweep()
        again = False
        try:
            again = self._wait(parent)
        finally:
            os.kill(parent, _SIGKILL)
            _collect_children()
        return again

    def _wait(self, parent: int) -> bool:
        """Wait until the boot is over; return whether another one is asked for."""
        pidfd = os.pidfd_open(parent)
        poll = select.poll()
        for fd in (self._control, self._signals, pidfd):
            poll.register(fd, select.POLLIN)
        while True:
            ready = {fd for fd, _ in poll.poll()}
            if ready & {self._signals, pidfd}:
                os.close(pidfd)
                return False
            try:
                message = os.read(self._control, _MESSAGE_BYTES)
            except ConnectionError:
                message = b""
            if message in (b"", b"reboot"):
                os.close(pidfd)
                return message == b"reboot"

    def _be_parent_of_init(self, this_boot: boot.Boot) -> None:
        """Make a pid namespace, and wait for its end. Never returns.

        A process of its own, since nobody can make two of them one after the other without going back in between, which a
        user namespace does not allow.
        """
        try:
            kernel.die_with_parent(_SIGKILL)
            kernel.unshare(kernel.CLONE_NEWPID)
            init = os.fork()
            if init == 0:
                self._be_init(this_boot)
            os.close(self._control)
            os.close(self._stream)
            os.waitpid(init, 0)
        except Exception as error:  # noqa: BLE001 - as in ``keep``
            self._fail(error)
        finally:
            os._exit(0)

    def _be_init(self, this_boot: boot.Boot) -> None:
        """Become process 1 of the sandbox. Never returns."""
        code = 1
        try:
            os.close(self._signals)
            kernel.unblock_signals(_ENDING_SIGNALS)
            if self._limits is not None:
                self._limits.join()
            this_boot.enter()
            self._tell("booted", "")
            code = boot.serve(self._stream, self._options["machine_id"])
        except Exception as error:  # noqa: BLE001 - as in ``keep``
            self._fail(error)
        finally:
            os._exit(code)

    def _fail(self, error: Exception) -> None:
        self._tell("failed", explain(error, self._doing) if isinstance(error, OSError) else f"cannot {self._doing}: {error!r}")

    def _say(self, text: str) -> None:
        self._tell("say", text)

    def _tell(self, word: str, text: str) -> None:
        try:
            os.write(self._control, f"{word} {text}".encode()[:_MESSAGE_BYTES])
        except ConnectionError:  # nobody is there to hear it: we are about to notice and end
            return


def _collect_children() -> None:
    """Wait for the last child. Process 1 of a sandbox, which we adopt, is the last of its namespace to go."""
    while True:
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def _host_resolver() -> bytes:
    try:
        return _read("/etc/resolv.conf").encode()
    except OSError:  # a host without name servers
        return b""


def _read(path: str) -> str:
    with open(path, encoding="utf-8", errors="surrogateescape") as file:
        return file.read()


def main() -> None:
    """Keep the sandbox that the arguments describe."""
    options = dict(argument.split("=", 1) for argument in sys.argv[1:])
    control = os.dup(0)
    stream = agent.take_stream(1)
    sys.exit(Keeper(control, stream, options).keep())
