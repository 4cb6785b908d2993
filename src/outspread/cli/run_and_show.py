"""``outspread run`` beyond its arguments: select, choose how to show it, run, and say by the exit code what it came to."""

import sys
from pathlib import Path
from typing import NamedTuple

from outspread.cli.carry_out import carry_out
from outspread.cli.choose_view import choose_view, stdout_for
from outspread.cli.held_machines import HeldMachines
from outspread.cli.held_output import HeldOutput
from outspread.cli.hold_keeper import leave_keeper
from outspread.cli.keep_wish import KeepWish
from outspread.cli.keepable import machines_may_be_left
from outspread.cli.open_ledger import is_recording
from outspread.cli.program_end import INTERRUPTED
from outspread.cli.renderer import Renderer
from outspread.cli.selection import Wish, select
from outspread.controller.values import Order, RunOptions


class RunWish(NamedTuple):
    """What the command line asks for; ``artifacts`` and ``junit`` are paths or None."""

    selection: Wish
    options: RunOptions
    artifacts: str | None = None
    junit: str | None = None
    as_json: bool = False
    verbosity: int = 0
    keep: KeepWish = KeepWish()


def run_and_show(wish: RunWish) -> int:
    """Return the exit code: 0 when all passed, 1 when something did not, 130 when interrupted."""
    selection = select(wish.selection)
    may_leave_machines = not wish.keep.reuse and machines_may_be_left(selection)
    renderers: list[Renderer] = []
    out = HeldOutput(stdout_for("replace"))
    if wish.as_json:
        from outspread.cli.json_lines import JsonLines

        renderers.append(JsonLines(out.text))
    else:
        view = choose_view(
            out.text,
            again=options_for_again(wish),
            verbosity=wish.verbosity,
            restoring=wish.options.restore_only,
            may_leave_machines=may_leave_machines,
            is_recorded=is_recording,
        )
        renderers.append(view)
    if wish.junit is not None:
        from outspread.cli.junit import JunitFile

        renderers.append(JunitFile(Path(wish.junit), selection.project.name, selection.jobs))
    held = HeldMachines()
    renderers.append(held)
    end = carry_out(
        selection,
        wish.options,
        renderers,
        artifacts=wish.artifacts or "",
        out=out,
        keep=wish.keep,
        discard_command="outspread discard --orphans" if may_leave_machines else "",
    )
    if held.run_id:
        leave_keeper(held.run_id)
    if end.interrupted:
        return INTERRUPTED
    if not end.passed and wish.as_json:
        print("error: not all jobs passed", file=sys.stderr)
    return 0 if end.passed else 1


def options_for_again(wish: RunWish) -> tuple[str, ...]:
    """Return the options that somebody needs to get to the same failure with a single job."""
    words: list[str] = []
    if wish.selection.directory != ".":
        words += ["-C", wish.selection.directory]
    if wish.selection.flavour != "spread":
        words += ["--flavour", wish.selection.flavour]
    if wish.selection.sandbox:
        words.append("--sandbox")
    if wish.options.order is not Order.RANDOM:
        words += ["--order", wish.options.order]
    if wish.options.repeat:
        words += ["--repeat", str(wish.options.repeat)]
    if wish.options.restore_only:
        words.append("--restore")
    return tuple(words)
