"""Who starts a run."""

import getpass
import os


def owner() -> str:
    """Return the name of this process's user, or its number when it has none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # no such user, no variable that names one
        return str(os.getuid())
