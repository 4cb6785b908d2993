"""Import what a way in over SSH needs while something else is waited for: it takes a tenth of a second, more than a log-in."""

import contextlib
import functools
import importlib
import threading
from collections.abc import Iterator


@functools.cache
def import_soon() -> None:
    """Begin, in a thread of its own; whoever imports the same meanwhile waits for it, and learns of what goes wrong."""
    threading.Thread(target=_import, name="outspread-import", daemon=True).start()


def _import() -> None:
    with _without_libraries(), contextlib.suppress(ImportError):
        importlib.import_module("outspread.machines.ssh.shell")


@contextlib.contextmanager
def _without_libraries() -> Iterator[None]:
    """Let nobody look for C libraries.

    For two that are optional asyncssh searches the whole system, with a compiler where there is one, which takes a third of its
    import. They are for algorithms that we have others for.
    """
    import ctypes.util  # which is half of what this module would take to import

    search = ctypes.util.find_library
    ctypes.util.find_library = lambda name: None
    try:
        yield
    finally:
        ctypes.util.find_library = search
