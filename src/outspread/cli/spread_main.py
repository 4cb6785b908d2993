"""The script ``spread``: Spread's own command line and log, for people and programs that know them."""

import os
import sys
from typing import TYPE_CHECKING

from outspread.cli.go_flags import FlagError, ParsedFlags, parse_flags, usage
from outspread.cli.program_end import end_program
from outspread.cli.spread_flags import SPREAD_FLAGS, SpreadCall, misplaced_flags, refuse_not_offered, spread_call

if TYPE_CHECKING:
    from outspread.cli.selection import Wish

PROGRAM = "spread"
DEBUG_VARIABLE = "OUTSPREAD_DEBUG"
FLAVOUR_VARIABLE = "OUTSPREAD_FLAVOUR"


def main() -> None:
    """Run the script ``spread``."""
    try:
        flags = parse_flags(SPREAD_FLAGS, sys.argv[1:])
    except FlagError as error:
        sys.stderr.write(f"{error}\n{usage(PROGRAM, SPREAD_FLAGS)}")
        sys.exit(error.exit_code)
    if flags.help_wanted:
        sys.stderr.write(usage(PROGRAM, SPREAD_FLAGS))
        sys.exit(0)
    talkative = flags.switches["v"] or flags.switches["vv"]
    end_program(
        lambda: _obey(flags),
        debug=bool(os.environ.get(DEBUG_VARIABLE)),
        how_to_debug=f"{DEBUG_VARIABLE}=1",
        terse=not talkative,
        interrupted=1,  # as Spread has it: to programs that call it, an interrupted run is one that failed
    )


def _obey(flags: ParsedFlags) -> int:
    if flags.switches["version"]:
        from outspread import __version__

        print(f"{PROGRAM} {__version__}")
        return 0
    call = spread_call(flags, os.environ.get(FLAVOUR_VARIABLE) or "spread")
    for argument in misplaced_flags(flags):
        print(f"warning: {argument} stands behind a filter and is taken for one: flags go first", file=sys.stderr)
    if call.list_only:
        return _list(call)
    refuse_not_offered(flags)
    return _run(call)


def _list(call: SpreadCall) -> int:
    from outspread.cli.job_list import name_list
    from outspread.cli.selection import select

    sys.stdout.write(name_list(select(_wish(call, running=False)).jobs))
    return 0


def _run(call: SpreadCall) -> int:
    from outspread.cli.carry_out import carry_out
    from outspread.cli.choose_view import stdout_for
    from outspread.cli.held_output import HeldOutput
    from outspread.cli.renderer import Renderer
    from outspread.cli.selection import select
    from outspread.cli.spread_log import SpreadLog
    from outspread.controller.values import Order, RunOptions, ShellOccasion

    selection = select(_wish(call, running=True))
    options = RunOptions(
        seed=call.seed,
        order=Order.GIVEN if call.given_order else Order.RANDOM,
        repeat=call.repeat,
        restore_only=call.restore,
        abend=call.abend,
        collect_artifacts=bool(call.artifacts),
        keep_output=call.verbosity > 1,
        workers=call.workers,
        shells=tuple(map(ShellOccasion, call.shells)),
        live=call.live,
        time_lines=call.time_lines,
    )
    out = HeldOutput(stdout_for("surrogateescape"))
    log = SpreadLog(
        out.text,
        verbosity=call.verbosity,
        announce_seed=not call.seed,
        travis=os.environ.get("TRAVIS") == "true",
        debug_output=call.debug_output,
    )
    renderers: list[Renderer] = [log]
    if call.logs:
        from outspread.cli.log_files import LogFiles

        renderers.append(LogFiles(call.logs))
    if call.json:
        from outspread.cli.spread_json import SpreadJson

        renderers.append(SpreadJson(call.json, selection.project.name, selection.jobs))
    end = carry_out(selection, options, renderers, artifacts=call.artifacts, out=out)
    if end.passed:
        return 0
    print("error: unsuccessful run", file=sys.stderr)
    return 1


def _wish(call: SpreadCall, *, running: bool) -> "Wish":
    from outspread.cli.selection import Wish

    return Wish(
        call.filters,
        flavour=call.flavour,
        sandbox=call.sandbox,
        warn=call.verbosity > 0,
        every_warning=call.verbosity > 0,
        running=running,
        as_spread=True,
    )
