"""The log of canonical/spread, line for line: programs read it, so its text is an interface.

Output of scripts passes untouched, invalid UTF-8 included: the stream written to must map surrogates back to bytes.
"""

import time
from typing import TYPE_CHECKING, TextIO

from msgspec import structs

from outspread.cli.job_lines import DOING, one_line, sent_so_far
from outspread.cli.live_lines import LiveLines
from outspread.cli.spread_summary import summary_messages
from outspread.controller.values import (
    ArtifactsFetched,
    ArtifactsFetching,
    AttemptFinished,
    ContentKept,
    ContentPacked,
    ContentProgress,
    ContentSent,
    DebugFinished,
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
    StepEvent,
    StepFinished,
    StepOutput,
    StepStarted,
    Verb,
)

if TYPE_CHECKING:
    from outspread.cli.tally import Tally

_RULE = "-----"
_REPEATED_AFTER_S = 15.0  # how soon the same trouble with a machine is worth another line
_MEBIBYTE = 1024 * 1024
_WHEN = {
    ShellOccasion.BEFORE: "before {}",
    ShellOccasion.INSTEAD: "instead of {}",
    ShellOccasion.AFTER: "after {}",
    ShellOccasion.DEBUG: "to debug",
}


class SpreadLog:
    """Writes the log to ``out``. ``verbosity`` counts the v's; ``announce_seed`` when nobody gave one.

    ``discard_command`` gives back what a killed run leaves behind; "": nothing.

    With ``travis``, blocks are marked for folding as Travis CI wants it. Without
    ``debug_output`` what debug scripts print is left out.
    """

    def __init__(
        self,
        out: TextIO,
        *,
        verbosity: int = 0,
        announce_seed: bool = True,
        travis: bool = False,
        debug_output: bool = True,
        discard_command: str = "",
    ) -> None:
        self._out = out
        self._verbosity = verbosity
        self._announce_seed = announce_seed
        self._travis = travis
        self._debug_output = debug_output
        self._live = LiveLines()
        self._discard_command = discard_command
        self._now = 0.0
        self._second = -1
        self._timestamp = ""
        self._begun: dict[tuple[str, str], float] = {}  # script in hand, by machine and job: when it began
        self._sequence: dict[str, int] = {}  # job: the how-manieth to be executed
        self._retried: dict[str, int] = {}  # system: machines that will be asked for again
        self._troubles: dict[str, float] = {}  # message: when it was last logged
        self._unallocated: set[str] = set()
        self._by_address: dict[str, str] = {}  # machine: "backend:system", where its label is but its address

    def feed(self, event: Report) -> None:
        self._now = event.at
        event = self._as_spread_names_it(event)
        self._live.feed(event)
        match event:
            case StepOutput():
                for line in self._live.lines(event):
                    self._write(f"{line}\n")
            case ShellOpened(occasion=occasion, verb=verb, job=job):
                self._say(f"Starting shell {_WHEN[occasion].format(f'{DOING[verb]} {job}')}...")
            case ShellClosed(reason=reason):
                if reason:
                    self._say(f"Error running debug shell: {reason}")
                self._say("Continuing...")
            case StepEvent():
                self._step(event)
            case AttemptFinished():
                self._attempt(event)
            case ArtifactsFetching() | ArtifactsFetched():
                self._artifacts(event)
            case RunStarted():
                self._start(event)
            case ContentPacked() | ContentSent() | ContentProgress() | ContentKept():
                self._content(event)
            case SeatClosed(reason=reason) if reason:
                (self._say if event.lost else self._say_more)(f"Worker ended early: {reason}")
            case _:
                self._machine(event)
        self._out.flush()

    def note(self, text: str) -> None:
        """Log something that is no event."""
        self._now = time.time()
        self._say(text)
        self._out.flush()

    def _as_spread_names_it(self, event: Report) -> Report:
        """Return the event with names that Spread would use: a machine that has but an address goes by its system there."""
        if isinstance(event, MachineAllocated | MachineReused | MachineDiscarding):
            system, _, label = event.machine.partition(" (")
            if label and label == f"{event.address})":
                self._by_address[event.machine] = system
        if isinstance(event, MachineProgress):
            machine = next((machine for machine in self._by_address if machine in event.text), "")
            return structs.replace(event, text=event.text.replace(machine, self._by_address[machine])) if machine else event
        name = self._by_address.get(getattr(event, "machine", ""))
        if name is None:
            return event
        names = {"machine": name, "label": ""} if isinstance(event, StepEvent) else {"machine": name}
        return structs.replace(event, **names)

    def finish(self, tally: "Tally") -> None:
        for message in summary_messages(tally):
            self._say(message)
        self._out.flush()

    def _start(self, event: RunStarted) -> None:
        if event.seed_matters and self._announce_seed:
            self._say(f"Sequence of jobs produced with -seed={event.seed}")
        if self._discard_command:
            self._say(f"If killed, discard servers with: {self._discard_command}")

    # --- content ------------------------------------------------------------------------------------------------------

    def _content(self, event: ContentPacked | ContentSent | ContentProgress | ContentKept) -> None:
        match event:
            case ContentPacked(size_bytes=size):
                self._say(f"Project content is packed for delivery ({_size(size)}).")
            case ContentSent(machine=machine):
                self._say(f"Sending project content to {machine}...")
            case ContentProgress(machine=machine):  # Spread has no such line
                self._say_more(f"Sent {sent_so_far(event)} to {machine}.")
            case ContentKept(machine=machine):
                self._say(f"Reusing project data on {machine}...")

    # --- machines -----------------------------------------------------------------------------------------------------

    def _machine(self, event: Report) -> None:
        match event:
            case MachineRequested(machine_id=machine_id, backend=backend, system=system):
                name = f"{backend}:{system}"
                self._unallocated.add(machine_id)
                if self._retried.get(name):
                    self._retried[name] -= 1
                else:
                    self._say(f"Allocating {name}...")
            case MachineProgress(text=text):
                self._say(text)
            case MachineAllocated(machine_id=machine_id, machine=machine):
                self._unallocated.discard(machine_id)
                self._say(f"Allocated {machine}.")
            case MachineReused(machine=machine):
                self._say(f"Reusing {machine}...")
            case MachineConnected(machine=machine, address=address):
                self._say(f"Connected to {machine} at {address}.")
            case MachineKept(machine=machine, address=address):
                self._say(f"Keeping {machine} at {address}")
            case MachineFailed():
                self._machine_failed(event)
            case MachineDiscarding(machine=machine):
                self._say(f"Discarding {machine}...")
            case _:
                pass

    def _machine_failed(self, event: MachineFailed) -> None:
        name = f"{event.backend}:{event.system}"
        if event.machine_id in self._unallocated:
            self._unallocated.discard(event.machine_id)
            message = f"Cannot allocate {name}: {event.reason}"
            if not event.final:
                self._retried[name] = self._retried.get(name, 0) + 1
        else:
            message = f"Machine of {name} failed: {event.reason}"
        last = self._troubles.get(message)
        if event.final or last is None or event.at - last >= _REPEATED_AFTER_S:
            self._troubles[message] = event.at
            self._say(message)

    # --- scripts ------------------------------------------------------------------------------------------------------

    def _step(self, event: StepEvent) -> None:
        match event:
            case StepStarted():
                self._begin(event)
            case StepFinished():
                self._end(event)
            case DebugFinished() if not self._debug_output:
                pass
            case DebugFinished(outcome=Outcome.PASSED, output=output):
                if output.strip():
                    self._block(f"Debug output for {_subject(event)} : {_text(output)}", took_s=event.duration_s)
            case DebugFinished(outcome=outcome, output=output):
                self._block(f"Error debugging {_subject(event)} : {_text(output) or outcome}", took_s=event.duration_s)
            case RebootRequested(machine=machine, context=context):
                self._say(f"Rebooting on {machine} ({context}) as requested...")
            case Rebooted(machine=machine, context=context):
                self._say(f"Connected after reboot to {machine} ({context})")
            case RunningLate(machine=machine, context=context, excerpt=excerpt):
                heading, _, shown = excerpt.strip("\n").partition("\n")
                block = f"\n{_RULE}\n{shown}\n{_RULE}" if shown else ""
                began = self._begun.get((machine, event.job), event.at)
                self._block(f"WARNING: {machine} ({context}) running late. {heading}{block}", took_s=event.at - began)
            case _:
                pass

    def _begin(self, event: StepStarted) -> None:
        counted = ""
        if event.verb is Verb.EXECUTE:
            index = event.index or self._sequence.setdefault(event.job, len(self._sequence) + 1)
            counted = f" ({index}/{event.total})"
        self._begun[event.machine, event.job] = event.at
        if self._travis:
            self._write(f"travis_time:start:{_nanoseconds(event.at):x}\n")
        self._say(f"{DOING[event.verb].capitalize()} {_subject(event)}{counted}...")

    def _end(self, event: StepFinished) -> None:
        began = self._begun.pop((event.machine, event.job), event.at)
        if self._travis:
            self._write(_travis_time_end(_nanoseconds(began), _nanoseconds(event.at)))
        if event.outcome is Outcome.PASSED:
            if self._verbosity > 1 and event.output.strip():
                self._block(f"Output of {DOING[event.verb]} {_subject(event)} : {_text(event.output)}", took_s=event.duration_s)
            return
        text = event.reason if event.error_text else _text(event.output) or event.reason
        self._block(f"Error {DOING[event.verb]} {_subject(event)} : {text}", took_s=event.duration_s)

    # --- jobs ---------------------------------------------------------------------------------------------------------

    def _attempt(self, event: AttemptFinished) -> None:
        match event.outcome:
            case Outcome.INFRA:  # the machine was lost, so that no script could report its own end
                self._say(f"Error {DOING[event.verb]} {event.job} ({_label(event.machine)}) : {event.reason}")
            case Outcome.SKIPPED:
                self._say(f"Skipping {event.job} ({_label(event.machine)})...")
            case Outcome.ABORTED:
                self._say_more(f"Aborted {event.job}: {event.reason}")
            case _:
                pass

    def _artifacts(self, event: ArtifactsFetching | ArtifactsFetched) -> None:
        match event:
            case ArtifactsFetching(job=job):
                self._say(f"Fetching artifacts of {job}...")
            case ArtifactsFetched(error=error) if error:
                self._say(f"Error fetching artifacts of {event.job} : {error}")
            case ArtifactsFetched(missing=missing) if missing:
                self._say(f"Artifacts of {event.job} that are not there: {', '.join(map(one_line, missing))}")
            case _:
                pass

    # --- lines --------------------------------------------------------------------------------------------------------

    def _say(self, message: str) -> None:
        self._write(f"{self._time()} {message.strip()}\n")

    def _say_more(self, message: str) -> None:
        if self._verbosity:
            self._say(message)

    def _block(self, message: str, *, took_s: float) -> None:
        """Write what may fold: when it has several lines, a lone dot follows it."""
        message = message.strip()
        folds = "\n" in message
        line = f"{self._time()} {message}\n"
        if self._travis:
            began = _nanoseconds(self._now - took_s) + 1  # its id must differ from that of the script
            line = f"travis_time:start:{began:x}\n{line}{_travis_time_end(began, _nanoseconds(self._now))}"
            if folds:
                line = f"travis_fold:start:{began:x}\n{line}travis_fold:end:{began:x}\n"
        self._write(line + ".\n" if folds else line)

    def _write(self, text: str) -> None:
        self._out.write(text)

    def _time(self) -> str:
        second = int(self._now)
        if second != self._second:
            self._second = second
            self._timestamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(second))
        return self._timestamp


def _subject(event: StepEvent) -> str:
    return f"{event.context} ({event.label or f'{event.backend}:{event.system}'})"


def _label(machine: str) -> str:
    """Return the label of a machine given as ``backend:system (label)``."""
    name, _, label = machine.partition(" (")
    return label.removesuffix(")") or name


def _text(output: str) -> str:
    """Return output as it follows a message: one line in the same line, more between rules."""
    output = output.strip()
    return f"\n{_RULE}\n{output}\n{_RULE}" if "\n" in output else output


def _size(size_bytes: int) -> str:
    if size_bytes < _MEBIBYTE:
        return f"{size_bytes / 1024:.2f}KB"
    return f"{size_bytes / _MEBIBYTE:.2f}MB"


def _nanoseconds(at: float) -> int:
    return round(at * 1e9)


def _travis_time_end(start: int, finish: int) -> str:
    return f"travis_time:end:{start:x}:start={start},finish={finish},duration={finish - start}\n"
