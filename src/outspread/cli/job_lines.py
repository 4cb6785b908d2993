"""One line for what happened: to a job, to a machine, of a script."""

from outspread.cli.columns import moment
from outspread.cli.job_counts import job_count
from outspread.cli.spans import span
from outspread.cli.terminal_text import shown_text
from outspread.controller.values import (
    AttemptFinished,
    ContentKept,
    ContentPacked,
    ContentProgress,
    ContentSent,
    MachineAllocated,
    MachineConnected,
    MachineDiscarding,
    MachineFailed,
    MachineKept,
    MachineProgress,
    MachineRequested,
    MachineReused,
    Outcome,
    Rebooted,
    RebootRequested,
    Report,
    RunningLate,
    RunStarted,
    SeatClosed,
    ShellClosed,
    ShellOccasion,
    ShellOpened,
    StepFinished,
    StepStarted,
    Verb,
)

OUTCOME_WORDS = {
    Outcome.PASSED: "ok",
    Outcome.FAILED: "FAILED",
    Outcome.TIMEOUT: "TIMEOUT",
    Outcome.ABORTED: "aborted",
    Outcome.SKIPPED: "skipped",
    Outcome.CANCELLED: "cancelled",
    Outcome.INFRA: "LOST",
}
DOING = {Verb.CHECK: "checking", Verb.PREPARE: "preparing", Verb.EXECUTE: "executing", Verb.RESTORE: "restoring"}
_WHEN = {
    ShellOccasion.BEFORE: "before",
    ShellOccasion.INSTEAD: "instead of",
    ShellOccasion.AFTER: "after",
    ShellOccasion.DEBUG: "after a failure of",
}
_ID_CHARACTERS = 12
_MEGABYTE = 1_000_000
_ROUND_MEGABYTES = 10  # from here on without decimals
_WIDTH = max(map(len, OUTCOME_WORDS.values()))


def job_line(event: AttemptFinished) -> str:
    """Return how an attempt ended: the outcome first, so that the eye finds it in a column."""
    word = OUTCOME_WORDS[event.outcome]
    took = "" if event.outcome in (Outcome.ABORTED, Outcome.SKIPPED) else f"  {span(event.duration_s)}"
    reason = "" if event.outcome is Outcome.PASSED or not event.reason else f"  {one_line(event.reason)}"
    return f"{word:{_WIDTH}}  {event.job}{took}{reason}"


def machine_line(event: Report, verbosity: int) -> str:
    """Return the line of an event that is not a job's own, or "" when it is not worth one at this verbosity."""
    match event:
        case MachineFailed(backend=backend, system=system, reason=reason, final=final):
            return f"{backend}:{system}: {one_line(reason)}" if final or verbosity else ""
        case ShellOpened(occasion=ShellOccasion.VISIT, machine=machine):
            return f"shell on {machine}; exit to give the machine back"
        case ShellOpened(occasion=occasion, machine=machine, context=context):
            return f"shell {_WHEN[occasion]} {DOING[event.verb]} {context} on {machine}; exit to go on"
        case ShellClosed(context=context, reason=reason) if reason:
            return f"shell for {context}: {one_line(reason)}"
        case ContentProgress(machine=machine):
            return f"{machine}: sending project: {sent_so_far(event)}"
        case MachineKept(machine=machine, address=address, reason=reason) if reason:
            return f"{machine}: held at {address} {hold_text(event.at, event.until, reason)}; {hold_hint(event.machine_id)}"
        case MachineKept(machine=machine, address=address):
            return f"{machine}: kept at {address}"
        case RunningLate(machine=machine, context=context):
            return f"{machine}: {DOING[event.verb]} {context} is running late: {one_line(event.excerpt)}"
    return _detail(event, verbosity) if verbosity else ""


def short_id(whole: str) -> str:
    """Return enough of the id of a run or machine to name it: any unambiguous beginning does."""
    return whole[:_ID_CHARACTERS]


def hold_text(now: float, until: float, reason: str) -> str:
    """Return until when a machine is held, and why; times in seconds since the epoch."""
    left_s = until - now
    return f"until {moment(until)} ({f'{span(left_s)} left' if left_s > 0 else 'over'}), for {one_line(reason)}"


def hold_hint(machine_id: str) -> str:
    """Return what to do with a machine that is held."""
    name = short_id(machine_id)
    return f"look: outspread shell --machine {name}; give it back: outspread discard --machine {name}"


def run_line(event: RunStarted) -> str:
    """Return what a run begins with: its id, how much it is, and the seed where that matters."""
    seed = f", seed {event.seed}" if event.seed_matters else ""
    return f"run {short_id(event.run_id)}: {job_count(event.total_jobs)} of {event.project}{seed}"


def discard_line(run_id: str) -> str:
    """Return how the machines of a run are given back when it could not do so itself."""
    return f"if killed, give its machines back with: outspread discard --run {short_id(run_id)}"


def sent_so_far(event: ContentProgress) -> str:
    """Return how far sending is, and how fast: ``120 of 200 MB (60%), 11 MB/s``."""
    sent, total = event.sent_bytes / _MEGABYTE, event.total_bytes / _MEGABYTE
    percent = 100 * event.sent_bytes // max(1, event.total_bytes)
    digits = 0 if total >= _ROUND_MEGABYTES else 1
    rate = sent / max(event.took_s, 0.001)
    return f"{sent:.{digits}f} of {total:.{digits}f} MB ({percent}%), {rate:.{0 if rate >= _ROUND_MEGABYTES else 1}f} MB/s"


def one_line(text: str) -> str:
    """Return ``text`` made fit to be shown on one line."""
    return " / ".join(line.strip() for line in shown_text(text).split("\n") if line.strip())


def _detail(event: Report, verbosity: int) -> str:
    match event:
        case ContentPacked(size_bytes=size):
            return f"project packed: {size / 1024:.0f} KiB"
        case RebootRequested(machine=machine, context=context):
            return f"{machine}: rebooting for {context}"
        case Rebooted(machine=machine, context=context):
            return f"{machine}: back from the reboot for {context}"
        case SeatClosed(reason=reason) if reason:
            return f"session ended early: {one_line(reason)}"
        case StepStarted(machine=machine, context=context) if verbosity > 1:
            return f"{machine}: {DOING[event.verb]} {context}"
        case StepFinished(machine=machine, context=context, output=output) if verbosity > 1 and output.strip():
            shown = "".join(f"\n  | {line}".rstrip(" ") for line in shown_text(output).strip("\n").split("\n"))
            return f"{machine}: output of {DOING[event.verb]} {context}:{shown}"
        case _:
            return _machine_detail(event)


def _machine_detail(event: Report) -> str:
    match event:
        case MachineRequested(backend=backend, system=system):
            return f"{backend}:{system}: allocating"
        case MachineProgress(backend=backend, system=system, text=text):
            return f"{backend}:{system}: {one_line(text)}"
        case MachineAllocated(machine=machine):
            return f"{machine}: allocated"
        case MachineReused(machine=machine):
            return f"{machine}: using it again"
        case MachineConnected(machine=machine, address=address):
            return f"{machine}: connected at {address}"
        case ContentSent(machine=machine):
            return f"{machine}: sending project"
        case ContentKept(machine=machine):
            return f"{machine}: using the project that is there"
        case MachineDiscarding(machine=machine):
            return f"{machine}: discarding"
        case _:
            return ""
