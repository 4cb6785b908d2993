"""How a program ends: what it prints about an exception, and the exit code that follows from it."""

import gc
import os
import sys
from collections.abc import Callable
from typing import NoReturn

from outspread.errors import OutspreadError
from outspread.project.errors import ProjectError

INTERRUPTED = 130  # 128 + SIGINT, as a shell says it
BROKEN_PIPE = 141  # 128 + SIGPIPE: whoever read has seen enough


def end_program(
    program: Callable[[], int], *, debug: bool, how_to_debug: str, terse: bool = False, interrupted: int = INTERRUPTED
) -> NoReturn:
    """Call ``program`` and exit with the code that it returns, or that its exception asks for.

    ``debug`` shows tracebacks, and ``how_to_debug`` is how people ask for that.
    A ``terse`` error is its text alone, in one line, as Spread would print it. ``interrupted`` is the code after Ctrl-C.
    """
    if sys.stdout is None:
        print("error: cannot write to standard output: it is closed", file=sys.stderr)
        sys.exit(1)
    try:
        code = program()
        sys.stdout.flush()
    except OutspreadError as error:
        if debug:
            raise
        code = error.exit_code
        print_error(error, terse=terse)
    except KeyboardInterrupt:
        code = interrupted
        print("interrupted", file=sys.stderr)
    except BrokenPipeError:
        leave_broken_pipe()
    except Exception as error:
        if debug:
            raise
        code = 1
        error = _only_cause(error)
        if output_error := _output_error(error):
            _give_up_output()
            print(f"error: cannot write to standard output: {output_error.strerror}", file=sys.stderr)
        else:
            what = f"{type(error).__name__}: {error}".replace("\n", " ")
            print(f"error: internal: {what} ({how_to_debug} shows where)", file=sys.stderr)
    gc.freeze()  # the end of all is no time to search for garbage: Python takes a tenth of a second for it
    sys.exit(code)


def leave_broken_pipe() -> NoReturn:
    """Exit without a word: whoever read the output has seen enough. To be called where others would take the error."""
    _give_up_output()
    sys.exit(BROKEN_PIPE)


def _output_error(error: Exception) -> OSError | None:
    """Return why standard output takes no more, if that is what ``error`` may be about; it is tried once more to know."""
    if not isinstance(error, OSError) or error.filename is not None:
        return None
    try:
        sys.stdout.write("\n")  # a long text that could not be written is not kept for another time
        sys.stdout.flush()
    except BrokenPipeError:
        leave_broken_pipe()
    except OSError as again:
        return again
    return None


def _give_up_output() -> None:
    """Let what is still to be written vanish: Python flushes standard output at its end, and would complain again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _only_cause(error: Exception) -> Exception:
    """Return what a group of a single exception stands for."""
    while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def print_error(error: OutspreadError, *, terse: bool) -> None:
    """Print ``error:``, with the place where a project is wrong, and ``hint:`` where there is one, on standard error."""
    text = error.located if isinstance(error, ProjectError) and not terse else str(error)
    print(f"error: {text}", file=sys.stderr)
    if error.hint and not terse:
        print(f"hint: {error.hint}", file=sys.stderr)
