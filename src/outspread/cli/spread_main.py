"""The script ``spread``: Spread's own command line and log, for people and programs that know them."""

import os
import sys
from typing import TYPE_CHECKING

from outspread.cli.go_flags import FlagError, ParsedFlags, parse_flags, usage
from outspread.cli.program_end import end_program
from outspread.cli.spread_flags import SPREAD_FLAGS, SpreadCall, misplaced_flags, spread_call

if TYPE_CHECKING:
    from outspread.cli.discard_here import Discarded
    from outspread.cli.selection import Wish
    from outspread.cli.spread_log import SpreadLog

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
    if call.collect_garbage:
        return _collect_garbage(call)
    return _discard(call) if call.discard else _run(call)


def _list(call: SpreadCall) -> int:
    from outspread.cli.job_list import name_list
    from outspread.cli.selection import select

    sys.stdout.write(name_list(select(_wish(call, running=False)).jobs))
    return 0


def _run(call: SpreadCall) -> int:
    from outspread.cli.carry_out import carry_out
    from outspread.cli.choose_view import stdout_for
    from outspread.cli.held_output import HeldOutput
    from outspread.cli.keepable import machines_may_be_left
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
    discard_command = ""
    if call.keep.notes_own and machines_may_be_left(selection):
        discard_command = f"{PROGRAM} -reuse-pid={os.getpid()} -discard"
    log = SpreadLog(
        out.text,
        verbosity=call.verbosity,
        announce_seed=not call.seed,
        travis=os.environ.get("TRAVIS") == "true",
        debug_output=call.debug_output,
        discard_command=discard_command,
    )
    if call.verbosity:
        log.note(f"Found {selection.project.file}.")
    renderers: list[Renderer] = [log]
    if call.logs:
        from outspread.cli.log_files import LogFiles

        renderers.append(LogFiles(call.logs))
    if call.json:
        from outspread.cli.spread_json import SpreadJson

        renderers.append(SpreadJson(call.json, selection.project.name, selection.jobs))
    end = carry_out(
        selection,
        options,
        renderers,
        artifacts=call.artifacts,
        out=out,
        keep=call.keep,
        say=log.note,
        discard_command=discard_command,
    )
    if end.passed:
        return 0
    print("error: unsuccessful run", file=sys.stderr)
    return 1


def _discard(call: SpreadCall) -> int:
    from outspread.cli.discard_here import discard_noted
    from outspread.cli.selection import project_and_systems

    project, systems = project_and_systems(_wish(call, running=False))
    log = _plain_log(call)
    return _verdict(discard_noted(project, systems, call.keep, show=log.feed, say=log.note))


def _collect_garbage(call: SpreadCall) -> int:
    from outspread.cli.discard_here import discard_orphans
    from outspread.cli.selection import project_and_systems

    project, _ = project_and_systems(_wish(call, running=False))
    log = _plain_log(call)
    return _verdict(discard_orphans(root=project.root, show=log.feed, say=log.note))


def _plain_log(call: SpreadCall) -> "SpreadLog":
    from outspread.cli.choose_view import stdout_for
    from outspread.cli.spread_log import SpreadLog

    return SpreadLog(stdout_for("surrogateescape"), verbosity=call.verbosity)


def _verdict(discarded: "Discarded") -> int:
    if not discarded.failed:
        return 0
    print(f"error: cannot discard {discarded.failed} of {discarded.found} servers", file=sys.stderr)
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
