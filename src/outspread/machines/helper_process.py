"""Start a program as a child process, quickly and apart from our terminal: a helper of ours (an agent, a keeper) or another.

Not for scripts: those go through an agent.
"""

import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

_LAUNCHER = str(Path(__file__).with_name("launcher.py"))

#: What Python and a launching shell may have set to "ignore"; a helper and its scripts begin with the defaults.
_DEFAULT_SIGNALS = (1, 2, 3, 13, 15, 25)


def start_helper(module: str, arguments: Sequence[str], *, descriptors: Sequence[int], environment: Mapping[str, str]) -> int:
    """Start ``module`` in a session of its own and return its process id.

    ``descriptors`` become its descriptors 0, 1, …; standard error stays ours if they leave it free.
    """
    # -I and -S: neither the user's settings nor site-packages, which would double the time to start
    arguments = ["-I", "-S", _LAUNCHER, module, *arguments]
    return _spawn([sys.executable, *arguments], [(os.POSIX_SPAWN_DUP2, fd, n) for n, fd in enumerate(descriptors)], environment)


def start_apart(argv: Sequence[str], *, stdin: int, output: int, kept: Sequence[int], environment: Mapping[str, str]) -> int:
    """Start a program, found by PATH, in a session of its own and return its process id; raises OSError.

    It has the descriptors in ``kept`` by their numbers; beside these ``stdin``, and ``output`` for both kinds of output.
    """
    actions: list[tuple[int, ...]] = [(os.POSIX_SPAWN_DUP2, fd, number) for number, fd in enumerate((stdin, output, output))]
    actions += [(os.POSIX_SPAWN_DUP2, fd, fd) for fd in kept]
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 - names are all it takes
        # what whoever started us let slip through would stay open as long as the program lives
        if int(name) > 2 and _is_passed_on(int(name)):
            actions.append((os.POSIX_SPAWN_CLOSE, int(name)))
    return _spawn(argv, actions, environment)


def _spawn(argv: Sequence[str], actions: Sequence[tuple[int, ...]], environment: Mapping[str, str]) -> int:
    return os.posix_spawnp(
        argv[0], [*argv], environment, file_actions=actions, setsid=True, setsigmask=(), setsigdef=_DEFAULT_SIGNALS
    )


def _is_passed_on(descriptor: int) -> bool:
    try:
        return os.get_inheritable(descriptor)
    except OSError:  # that of the listing itself
        return False


async def wait_for_end(pid: int) -> int:
    """Return the wait status of our child ``pid``, once it has ended; 0 when somebody else collected it."""
    loop = asyncio.get_running_loop()
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:  # collected at once, where SIGCHLD is ignored
        return 0
    try:
        ended = asyncio.Event()
        loop.add_reader(pidfd, ended.set)
        try:
            await ended.wait()
        finally:
            loop.remove_reader(pidfd)
    finally:
        os.close(pidfd)
    try:
        return os.waitpid(pid, 0)[1]  # noqa: ASYNC222 - it has ended: this does not wait
    except ChildProcessError:
        return 0
