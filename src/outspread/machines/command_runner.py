"""What a way into a machine runs its commands with: an agent's connection, or something that does without an agent."""

from typing import IO, Protocol

from outspread.machines.agent_connection import Command
from outspread.machines.contract import OutputSink, ScriptEnd, WindowSize


class CommandRunner(Protocol):
    """Runs one command at a time on one machine; raises ConnectionLostError when that is gone."""

    async def ready(self) -> None:
        """Return once commands can be run."""
        ...

    async def run(
        self, command: Command, *, output: OutputSink, errors: OutputSink | None = None, stdin: IO[bytes] | None = None
    ) -> ScriptEnd:
        """Run ``command`` to its end. Cancelled, or when a sink raises, its whole process tree is killed first.

        ``stdin`` is read from where it stands, in place of the command's script.
        """
        ...

    # --- while a command runs on a terminal -------------------------------------------------------------------------

    async def type(self, piece: bytes) -> None:
        """Have the command read ``piece`` from its terminal; waits while it does not read. Ignored once it is over."""
        ...

    def resize(self, window: WindowSize) -> None:
        """Give the command's terminal another size."""
        ...

    def end_command(self) -> None:
        """Have the command killed with all that it started; ``run`` then returns."""
        ...

    def hold_output(self) -> None:
        """Take no more output, but for a little that is on its way, until ``take_output``. Idempotent.

        Ignored when the command is being killed: its end would not be heard of.
        """
        ...

    def take_output(self) -> None:
        """Undo ``hold_output``. Idempotent."""
        ...

    def close(self) -> None:
        """Let go of the machine. Idempotent."""
        ...
