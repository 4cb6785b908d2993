"""The flags of the ``spread`` script: those of canonical/spread and of spread-plus, and what they ask for."""

from typing import NamedTuple

from outspread.cli.alternatives import refuse_together, wanted_shells
from outspread.cli.go_flags import Flag, FlagKind, ParsedFlags
from outspread.cli.keep_wish import KeepWish
from outspread.errors import UserError

SPREAD_FLAGS = (
    Flag("abend", FlagKind.SWITCH, "Stop at the first failure, without restoring"),
    Flag("artifacts", FlagKind.TEXT, "Keep the artifacts of tasks in this directory"),
    Flag("debug", FlagKind.SWITCH, "Open a shell after a failing script"),
    Flag("discard", FlagKind.SWITCH, "Discard reused machines instead of running"),
    Flag("flavour", FlagKind.TEXT, "Follow the rules of spread or of spread-plus (also by OUTSPREAD_FLAVOUR)"),
    Flag("gc", FlagKind.SWITCH, "Discard machines that outlived their halt-timeout, and exit"),
    Flag("json", FlagKind.TEXT, "Write the results as JSON into this file"),
    Flag("list", FlagKind.SWITCH, "Print the names of the selected jobs, and exit"),
    Flag("live", FlagKind.SWITCH, "Show output while scripts run"),
    Flag("logs", FlagKind.TEXT, "Keep the logs of tasks in this directory"),
    Flag("no-debug-output", FlagKind.SWITCH, "Keep debug output out of the log"),
    Flag("order", FlagKind.SWITCH, "Run jobs in the order in which they are listed"),
    Flag("pass", FlagKind.TEXT, "Password for the machines of this run"),
    Flag("perf", FlagKind.SWITCH, "Put the time before each line of output"),
    Flag("repeat", FlagKind.INTEGER, "Run each job this many times more, while it passes"),
    Flag("resend", FlagKind.SWITCH, "Send the project to reused machines again"),
    Flag("restore", FlagKind.SWITCH, "Run the restore scripts only"),
    Flag("reuse", FlagKind.SWITCH, "Keep machines, and use them again"),
    Flag("reuse-pid", FlagKind.INTEGER, "Use the machines that the process of this number left behind"),
    Flag("sandbox", FlagKind.SWITCH, "Run everything in throw-away views of this host instead of the project's machines"),
    Flag("seed", FlagKind.INTEGER, "Seed of the order of jobs; 0 chooses one"),
    Flag("shell", FlagKind.SWITCH, "Open a shell instead of running tasks"),
    Flag("shell-after", FlagKind.SWITCH, "Open a shell after each task"),
    Flag("shell-before", FlagKind.SWITCH, "Open a shell before each task"),
    Flag("v", FlagKind.SWITCH, "Say more"),
    Flag("version", FlagKind.SWITCH, "Print the version, and exit"),
    Flag("vv", FlagKind.SWITCH, "Say all, the output of scripts that passed included"),
    Flag("workers", FlagKind.INTEGER, "Machines per system, whatever the project says"),
)


class SpreadCall(NamedTuple):
    """What the command line of ``spread`` asks for."""

    filters: tuple[str, ...]
    list_only: bool
    flavour: str
    verbosity: int
    sandbox: bool
    abend: bool
    restore: bool
    given_order: bool
    artifacts: str
    seed: int
    repeat: int
    workers: int
    shells: tuple[str, ...]
    live: bool
    time_lines: bool
    debug_output: bool
    logs: str
    json: str
    keep: KeepWish
    discard: bool
    collect_garbage: bool


def spread_call(flags: ParsedFlags, default_flavour: str) -> SpreadCall:
    """Return what ``flags`` ask for. Raises UserError when they contradict each other."""
    refuse_together(flags.switches.__getitem__, dash="-")
    if flags.integers["seed"] < 0:
        raise UserError(f"cannot use {flags.integers['seed']} as the seed: it is less than 0")
    if flags.integers["reuse-pid"] < 0:
        raise UserError(f"cannot use machines of process {flags.integers['reuse-pid']}: no process has such a number")
    return SpreadCall(
        filters=flags.arguments,
        list_only=flags.switches["list"],
        flavour=flags.texts["flavour"] or default_flavour,
        verbosity=2 if flags.switches["vv"] else int(flags.switches["v"]),
        sandbox=flags.switches["sandbox"],
        abend=flags.switches["abend"],
        restore=flags.switches["restore"],
        given_order=flags.switches["order"],
        artifacts=flags.texts["artifacts"],
        seed=flags.integers["seed"],
        repeat=flags.integers["repeat"],
        workers=flags.integers["workers"],
        shells=tuple(wanted_shells(flags.switches.__getitem__)),
        live=flags.switches["live"],
        time_lines=flags.switches["perf"],
        debug_output=not flags.switches["no-debug-output"],
        logs=flags.texts["logs"],
        json=flags.texts["json"],
        keep=_keep_wish(flags),
        discard=flags.switches["discard"],
        collect_garbage=flags.switches["gc"],
    )


def _keep_wish(flags: ParsedFlags) -> KeepWish:
    reuse_pid = flags.integers["reuse-pid"]
    reuse = flags.switches["reuse"] or (flags.switches["discard"] and not reuse_pid)
    return KeepWish(
        reuse=reuse,
        reuse_pid=reuse_pid,
        resend=flags.switches["resend"],
        notes_own=not reuse and not reuse_pid,
        password=flags.texts["pass"],
    )


def misplaced_flags(flags: ParsedFlags) -> tuple[str, ...]:
    """Return the filters that look like flags: they stood behind the first filter, where flags are none any more."""
    return tuple(argument for argument in flags.arguments if argument.startswith("-"))
