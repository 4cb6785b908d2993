"""The logs of a run as files: for each job what its scripts printed, and apart from it what debug scripts did."""

from pathlib import Path
from typing import TYPE_CHECKING

from outspread.controller.values import AttemptFinished, DebugFinished, Report
from outspread.errors import InfrastructureError, UserError

if TYPE_CHECKING:
    from outspread.cli.tally import Tally


class LogFiles:
    """Writes ``JOB.log`` and ``CONTEXT.debug.log`` under ``directory``; a later attempt's are added to what is there."""

    def __init__(self, directory: str) -> None:
        """Raises UserError when nothing can be written there."""
        self._directory = Path(directory).resolve()
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"cannot keep logs in {directory}: {error.strerror}") from error
        self._of_this_run: set[Path] = set()
        self._trouble = ""  # the first: a full disk must not end the run

    def feed(self, event: Report) -> None:
        match event:
            case AttemptFinished() if event.log:
                self._add(f"{event.job}.log", event.log)
            case DebugFinished() if event.output:
                self._add(f"{event.context.removesuffix('/')}.debug.log", event.output)
            case _:
                pass

    def finish(self, tally: "Tally") -> None:
        if self._trouble:
            raise InfrastructureError(f"cannot keep all logs: {self._trouble}")

    def _add(self, name: str, text: str) -> None:
        path = self._directory / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("ab" if path in self._of_this_run else "wb") as file:
                file.write(text.encode("utf-8", "surrogateescape"))
        except OSError as error:
            self._trouble = self._trouble or f"cannot write {path}: {error.strerror}"
        self._of_this_run.add(path)
