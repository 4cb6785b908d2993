"""The way into this very host: scripts run through an agent that is a child process of ours, as the user we are."""

import os
import socket
from collections.abc import Mapping

from outspread.errors import UserError
from outspread.machines.agent_connection import AgentConnection
from outspread.machines.agent_shell import AgentShell
from outspread.machines.helper_process import start_helper, wait_for_end


class LocalShell(AgentShell):
    """The Shell contract on this host. Nothing here is thrown away afterwards: what a script changes stays changed."""

    def __init__(self, connection: AgentConnection, agent_pid: int) -> None:
        super().__init__(connection, "this host")
        self._agent_pid = agent_pid
        self._is_open = True

    async def reboot(self, *, within_s: float) -> None:
        """Refuse: this is the computer that Outspread itself runs on."""
        raise UserError(
            "cannot reboot this host: Outspread itself runs on it",
            hint="run tasks that reboot on a backend with machines of its own, such as --sandbox",
        )

    async def close(self) -> None:
        """End the agent, and with it a script that still runs. Idempotent."""
        await super().close()
        if self._is_open:
            self._is_open = False
            await wait_for_end(self._agent_pid)


async def open_local_shell(environment: Mapping[str, str] | None = None) -> LocalShell:
    """Start an agent on this host and return the way in. Its scripts get ``environment``, or else ours."""
    ours, theirs = socket.socketpair()
    with theirs:
        pid = start_helper(
            "outspread.machines.agent",
            (),
            descriptors=(theirs.fileno(),),
            environment=os.environ if environment is None else environment,
        )
    shell = LocalShell(AgentConnection(ours, "this host"), pid)
    try:
        await shell.ready()
    except BaseException:
        await shell.close()
        raise
    return shell
