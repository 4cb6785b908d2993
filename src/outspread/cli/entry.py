"""Where the installed programs begin and end."""

from typing import NoReturn

from outspread.cli.program_end import leave_at_once


def outspread() -> NoReturn:
    """Be the program ``outspread``."""
    from outspread.cli.main import main

    leave_at_once(main)


def spread() -> NoReturn:
    """Be the program ``spread``."""
    from outspread.cli.spread_main import main

    leave_at_once(main)
