"""A run of command jobs as JSON Lines: one object for each attempt that ended, and one of what the run came to.

``event`` is ``attempt-ended`` with the members of ``CommandAttempt``, and in the end ``run-ended`` with those of
``CommandRunStatus`` and ``passed``. Members may be added later, never renamed.
"""

from typing import TextIO

import msgspec

from outspread.cli.command_run_lines import PASSED, exit_code
from outspread.cli.json_lines import valid_json
from outspread.controller.command_values import CommandAttempt, CommandRunStatus


class JsonRunView:
    """Writes to ``out`` as things happen."""

    logs_shown = 0

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def submitted(self, status: CommandRunStatus) -> None:
        """Tell the id of a run that was just submitted."""
        self._line({"event": "run-submitted", **msgspec.to_builtins(status)})

    def ended(self, attempt: CommandAttempt, log: bytes) -> None:
        self._line({"event": "attempt-ended", **msgspec.to_builtins(attempt)})

    def stands(self, status: CommandRunStatus) -> None:
        """Say nothing: attempts tell it."""

    def finish(self, status: CommandRunStatus) -> None:
        self._line({"event": "run-ended", "passed": exit_code(status) == PASSED, **msgspec.to_builtins(status)})

    def close(self) -> None:
        """Do nothing: each line was whole."""

    def _line(self, value: object) -> None:
        self._out.write(valid_json(value).decode() + "\n")
        self._out.flush()
