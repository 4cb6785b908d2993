"""Which run was submitted last to which controller, so that commands without a RUN mean it."""

import contextlib
import os
import tempfile
from pathlib import Path
from typing import Final
from urllib.parse import quote

from outspread.errors import UserError

_ID_BYTES: Final = 256


class LastRun:
    """Remembers in ``directory``, a file for each controller; when that cannot be written, nothing fails."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def remember(self, controller: str, run_id: str) -> None:
        """Note the newest run of a controller."""
        with contextlib.suppress(OSError):  # a convenience: the id was printed
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle, new = tempfile.mkstemp(dir=self._directory, prefix=".new-")
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(f"{run_id}\n")
            Path(new).replace(self._file(controller))

    def get(self, controller: str) -> str:
        """Return the newest run; UserError when none is known."""
        try:
            with self._file(controller).open(encoding="utf-8") as file:
                run_id = file.read(_ID_BYTES).strip()
        except (OSError, UnicodeDecodeError):
            run_id = ""
        if not run_id:
            raise UserError(
                f"cannot tell which run: none was submitted to {controller} from here",
                hint="name one; outspread status --all lists them",
            )
        return run_id

    def _file(self, controller: str) -> Path:
        return self._directory / quote(controller, safe="")[-200:]
