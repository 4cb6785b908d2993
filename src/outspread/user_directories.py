"""Where we keep what is a user's: by our own settings, else by the XDG Base Directory Specification. Pure.

A relative ``XDG_…_HOME`` is ignored, as that specification wants.
"""

from collections.abc import Mapping
from pathlib import Path


def state_directory(environment: Mapping[str, str], home: Path) -> Path:
    """Return where the record of runs is, and what belongs to machines: ``OUTSPREAD_STATE``, or below ``XDG_STATE_HOME``."""
    if own := environment.get("OUTSPREAD_STATE", ""):
        return Path(own).absolute()
    return _below(environment.get("XDG_STATE_HOME", ""), home / ".local" / "state")


def data_directory(environment: Mapping[str, str], home: Path) -> Path:
    """Return where users put what we only read, such as images."""
    return _below(environment.get("XDG_DATA_HOME", ""), home / ".local" / "share")


def cache_directory(environment: Mapping[str, str], home: Path) -> Path:
    """Return where we keep what can be made again."""
    return _below(environment.get("XDG_CACHE_HOME", ""), home / ".cache")


def _below(told: str, usual: Path) -> Path:
    base = Path(told)
    return (base if base.is_absolute() else usual) / "outspread"
