"""Our programs with limits that a test can wait for: ``python hasty.py PROGRAM ARGUMENTS``.

All else is what the user's own program does. How long a machine may be silent or away is a tenth of what it is for users.
"""

import sys

from outspread.machines.ssh import shell, start_command, target

#: How long what runs on a machine lives on without us.
ABANDONED_AFTER_S = 2.0

_ANCHOR = "outspread.machines.ssh.anchor"


class HastyTarget(target.SshTarget, frozen=True):
    """A machine of which more is expected."""

    connect_within_s: float = 2.0
    keepalive_s: float = 1.0
    remake_within_s: float = 3.0


def main() -> None:
    """Run the program."""
    assert shell  # imported before its target is replaced
    shorten = f"\nif {_ANCHOR!r} in sys.modules:\n    sys.modules[{_ANCHOR!r}].ABANDONED_AFTER_S = {ABANDONED_AFTER_S}\n"
    start_command._START = shorten + start_command._START
    target.SshTarget = HastyTarget  # type: ignore[misc]
    del sys.argv[0]
    if sys.argv[0] == "spread":
        from outspread.cli import spread_main

        spread_main.main()
    else:
        from outspread.cli import main as outspread_main

        outspread_main.main()


if __name__ == "__main__":
    main()
