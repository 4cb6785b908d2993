"""Where the embedded controller keeps its state."""

from collections.abc import Mapping
from pathlib import Path


def state_directory(environment: Mapping[str, str], home: Path) -> Path:
    """Return ``OUTSPREAD_STATE``, or ``outspread`` under ``XDG_STATE_HOME``, which by default is ``~/.local/state``.

    A relative ``XDG_STATE_HOME`` is ignored, as the XDG Base Directory Specification wants.
    """
    if own := environment.get("OUTSPREAD_STATE", ""):
        return Path(own).absolute()
    base = Path(environment.get("XDG_STATE_HOME", ""))
    return (base if base.is_absolute() else home / ".local" / "state") / "outspread"
