"""Commands in a sandbox: what stands before them, and how its failure is known."""

import sys
from pathlib import Path
from typing import Final

from outspread.machines import launcher
from outspread.machines.sandbox.refusal import HINT
from outspread.worker.commands.executor.sandbox_entry import FAILURE

_MODULE: Final = "outspread.worker.commands.executor.sandbox_entry"
_MOST_BYTES: Final = 4096


def in_sandbox(argv: tuple[str, ...], attempt: Path, tree: Path, directory: str, *, image: str) -> tuple[str, ...]:
    """Return the command that runs ``argv`` in ``directory`` of ``tree``, in a sandbox that is gone when it ends.

    ``attempt`` is a directory that the sandbox does not see.
    """
    return (sys.executable, "-I", "-S", launcher.__file__, _MODULE, str(attempt), str(tree), directory, image or "/", *argv)


def failure_of(attempt: Path) -> str:
    """Return why there was no sandbox; "" when there was one."""
    try:
        with (attempt / FAILURE).open("rb") as file:
            return file.read(_MOST_BYTES).decode(errors="replace").partition(HINT)[0]
    except FileNotFoundError:
        return ""
