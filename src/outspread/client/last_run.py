"""Which run was submitted last to which controller, so that commands without a RUN mean it."""

import json
from pathlib import Path

from outspread.errors import UserError


class LastRun:
    """Remembers in ``file``; when that cannot be written, nothing is remembered and nothing fails."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def remember(self, controller: str, run_id: str) -> None:
        """Note the newest run of a controller."""
        known = {**self._read(), controller: run_id}
        try:
            self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            new = self._file.with_suffix(".new")
            new.write_text(json.dumps(known), "utf-8")
            new.replace(self._file)
        except OSError:
            return  # a convenience: the id was printed

    def get(self, controller: str) -> str:
        """Return the newest run; UserError when none is known."""
        try:
            return self._read()[controller]
        except KeyError:
            raise UserError(f"cannot tell which run: none was submitted to {controller} from here", hint="name one") from None

    def _read(self) -> dict[str, str]:
        try:
            known = json.loads(self._file.read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return {str(key): str(value) for key, value in known.items()} if isinstance(known, dict) else {}
