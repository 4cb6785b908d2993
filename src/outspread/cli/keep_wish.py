"""What the command line says about machines that outlive a run."""

from typing import NamedTuple


class KeepWish(NamedTuple):
    """Which machines a run may use again, and what becomes of its own. The default: none, and they are given back."""

    reuse: bool = False  # use those of the project's reuse file, and keep all
    reuse_pid: int = 0  # use those that the process of this number left behind
    resend: bool = False  # send the content to machines that have it
    notes_own: bool = False  # note machines in a file of this process, as Spread does
    password: str = ""  # of machines that have none of their own; "": chosen
