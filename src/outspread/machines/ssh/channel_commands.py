"""Commands on a machine without a Python for the agent: an SSH channel for each, and a mark in its environment to find what it
started when it has to be killed.

What this cannot do, and the agent can: kill a process that threw its environment away, and outlive a lost connection.
"""

import asyncio
import contextlib
import math
import secrets
import shlex
import signal
from typing import IO, cast

import asyncssh

from outspread.errors import ConnectionLostError, InfrastructureError
from outspread.machines import agent
from outspread.machines.agent_connection import Command
from outspread.machines.contract import OutputSink, ScriptEnd, WindowSize
from outspread.machines.ssh.carrier import Connection, Target
from outspread.machines.ssh.command_channel import CommandChannel
from outspread.machines.ssh.reason import reason

_VARIABLE = "OUTSPREAD_COMMAND"
_WINDOW_BYTES = 4 * 1024 * 1024
#: How long a machine may take to say that a command was killed.
_KILL_PATIENCE_S = agent.KILL_WITHIN_S + 20.0

# Bash reads what comes in no further than it has to: what follows these lines is the command's own input. What passes the output
# on outlives the channel, so that what a command leaves behind can go on writing.
_RELAY = "exec > >(trap '' PIPE; cat 2> /dev/null; exec cat > /dev/null)"
_MERGE = "exec 2>&1"
_START = """read -r _ _ _ _ _ session _ < /proc/$$/stat
lead=
[ "$session" = $$ ] || lead='setsid -w'
unset session ${{!SUDO_*}}
export {mark}
exec $lead {argv}
"""

# On a terminal nothing can be fed first, as it would be shown: the start waits in a file, beside what is to be descriptor 3.
_PREPARE = 'umask 077; place=$(mktemp -d) && printf %s "$1" > "$place/start" && cat > "$place/three" && echo "$place"'
_START_ON_TERMINAL = """exec 3< "${{0%/*}}/three"
rm -rf -- "${{0%/*}}"
unset ${{!SUDO_*}}
export {mark}
exec {argv}
"""
_PREPARED_WITHIN_S = 60.0

# They are all stopped before the first is killed, so that what forks all the time runs out of hands. A sudo stops with the
# command that it waits for: it has to be woken to see it dead.
_KILL = """marked() {{ grep -lszxF {mark} /proc/[0-9]*/environ | cut -d / -f 3; }}
parents=
for round in {{1..500}}; do
    pids=$(marked)
    if [ -z "$pids" ]; then
        kill -CONT $parents 2> /dev/null
        exit 0
    fi
    kill -STOP $pids 2> /dev/null
    parents+=" $(sed -s -n 's/^PPid:[^1-9]*//p' $(printf '/proc/%s/status ' $pids) 2> /dev/null)"
    [ "$(marked)" = "$pids" ] || continue
    kill -KILL $pids 2> /dev/null
    sleep 0.01
done
exit 1
"""


class ChannelCommands:
    """A CommandRunner over one SSH connection."""

    def __init__(self, connection: Connection, target: Target) -> None:
        """Use ``connection``, which is one to ``target``."""
        self._connection = connection
        self._shell = "exec /bin/bash" if target.username == "root" else "exec sudo -n -i /bin/bash"
        self._machine = target.name
        self._lost = ""
        self._running: CommandChannel | None = None

    def close(self) -> None:
        """Take no more commands."""
        self._lost = self._lost or "the connection was closed"

    async def ready(self) -> None:
        """Return at once: there is nothing to wait for."""
        if self._lost:
            raise self._lost_error()

    async def run(
        self, command: Command, *, output: OutputSink, errors: OutputSink | None = None, stdin: IO[bytes] | None = None
    ) -> ScriptEnd:
        """Run ``command`` to its end."""
        mark = f"{_VARIABLE}={secrets.token_hex(16)}"
        if command.window is None:
            running = await self._start(command, mark, output, errors, stdin)
        else:
            running = await self._start_on_terminal(command, command.window, mark, output)
        self._running = running
        limit = asyncio.timeout(command.kill_after_s if command.kill_after_s < math.inf else None)
        try:
            async with limit:
                end = await running.see_through()
        except ConnectionLostError as error:
            self._lost = self._lost or error.message
            raise self._lost_error() from error
        except BaseException:  # at its limit, cancelled, a sink failed, or reading the input did
            await self._kill(running, mark)
            if limit.expired():
                return ScriptEnd(exit_code=None, signal=signal.SIGKILL, timed_out=True)
            raise
        finally:
            self._running = None
        if end is None:
            await self._kill(running, mark)
            return ScriptEnd(exit_code=None, signal=signal.SIGKILL)
        return end

    async def _start(
        self, command: Command, mark: str, output: OutputSink, errors: OutputSink | None, stdin: IO[bytes] | None
    ) -> CommandChannel:
        lines = [_RELAY, "" if command.separate_errors else _MERGE, _START.format(mark=mark, argv=shlex.join(command.argv))]
        running = await self._open(self._shell, output, errors or output)
        running.feed("\n".join(lines).encode("utf-8", "surrogateescape") + command.script, stdin)
        return running

    async def _start_on_terminal(self, command: Command, window: WindowSize, mark: str, output: OutputSink) -> CommandChannel:
        start = _START_ON_TERMINAL.format(mark=mark, argv=shlex.join(command.argv))
        said = bytearray()
        argv = ("/bin/bash", "-c", _PREPARE, "bash", start)
        end = await self.run(Command(argv=argv, kill_after_s=_PREPARED_WITHIN_S, script=command.script), output=said.extend)
        place = said.decode(errors="surrogateescape").strip()
        if not end.passed:
            raise InfrastructureError(f"cannot open a terminal on {self._machine}: {place}")
        return await self._open(f"{self._shell} {shlex.quote(place)}/start", output, output, window)

    async def _open(
        self, command: str, output: OutputSink, errors: OutputSink, window: WindowSize | None = None
    ) -> CommandChannel:
        await self.ready()
        try:
            _, session = await self._connection.create_session(
                lambda: CommandChannel(output, errors),
                command,
                encoding=None,
                window=_WINDOW_BYTES,
                term_type=None if window is None else "dumb",  # the command sets its own
                term_size=(0, 0) if window is None else (window.columns, window.rows),
            )
        except (OSError, asyncssh.Error) as error:
            self._lost = reason(error)
            raise self._lost_error() from error
        return cast("CommandChannel", session)

    # --- while a command runs on a terminal -------------------------------------------------------------------------

    async def type(self, piece: bytes) -> None:
        """Pass keys on."""
        if self._running is not None:
            await self._running.write(piece)

    def resize(self, window: WindowSize) -> None:
        """Tell the machine."""
        if self._running is not None:
            self._running.resize(window)

    def end_command(self) -> None:
        """Have ``run`` kill it."""
        if self._running is not None:
            self._running.is_to_end.set()

    def hold_output(self) -> None:
        """Take no more output."""
        if self._running is not None:
            self._running.hold()

    def take_output(self) -> None:
        """Take it again."""
        if self._running is not None:
            self._running.take()

    async def _kill(self, running: CommandChannel, mark: str) -> None:
        """Kill all that has the mark, and wait for its end; further cancellations do not hurry this."""
        running.is_to_end.set()
        running.take()
        killing = asyncio.create_task(self._end_marked(running, mark))
        while not killing.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait([killing])
        killing.result()

    async def _end_marked(self, running: CommandChannel, mark: str) -> None:
        try:
            async with asyncio.timeout(_KILL_PATIENCE_S):
                script = _KILL.format(mark=shlex.quote(mark)).encode()
                killer = await self._connection.run(self._shell, input=script, encoding=None)
                if killer.exit_status == 0:
                    running.stop_listening()
                    await asyncio.wait([running.ended])
                    return
                why = "processes of a script could not be killed"
        except TimeoutError:
            why = "its command could not be killed"
        except (OSError, asyncssh.Error) as error:
            why = reason(error)
        self._lost = self._lost or why

    def _lost_error(self) -> ConnectionLostError:
        return ConnectionLostError(f"lost the connection to {self._machine}: {self._lost}")
