"""Start one of our small helper programs (an agent, a keeper) as a child process, quickly and apart from our terminal.

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
    return os.posix_spawn(
        sys.executable,
        [sys.executable, "-I", "-S", _LAUNCHER, module, *arguments],
        environment,
        file_actions=[(os.POSIX_SPAWN_DUP2, fd, number) for number, fd in enumerate(descriptors)],
        setsid=True,
        setsigmask=(),
        setsigdef=_DEFAULT_SIGNALS,
    )


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
