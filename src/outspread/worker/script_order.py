"""Which script comes next on a machine: a state machine without I/O, fed with results.

``TABLE`` is the rule, and the source of the drawing in the documentation: in each state one thing is done, and how it
ended names the next state. A state with nothing to do (its level was entered before, say) is passed through as if it had
passed. :class:`ScriptOrder` walks the table and keeps what the table cannot say: which levels were entered, which suites
are bad, what the job in hand has earned.

Three things lead to the end from anywhere: a lost machine, a cancelled run, and any failure under ``abend``. And whatever
fails where shells for debugging are wanted is followed by one, on the way to the state that comes next anyway.
"""

from enum import StrEnum

from msgspec import Struct

from outspread.controller.values import Level, Outcome, RunOptions, ShellOccasion, Verb
from outspread.project.model import Job, Project


class State(StrEnum):
    """Where a session stands."""

    WANT_JOB = "want job"
    SUITE_CHANGE = "restore suite left"
    PROJECT_PREPARE = "prepare project"
    BACKEND_PREPARE = "prepare backend"
    SUITE_CHECK = "check suite"
    SUITE_PREPARE = "prepare suite"
    TASK_CHECK = "check task"
    TASK_PREPARE = "prepare task"
    SHELL_BEFORE = "shell before"
    EXECUTE = "execute"
    SHELL_INSTEAD = "shell instead"
    SHELL_AFTER = "shell after"
    ARTIFACTS = "fetch artifacts"
    TASK_RESTORE = "restore task"
    JOB_DONE = "job done"
    SUITE_RESTORE = "restore suite"
    BACKEND_RESTORE = "restore backend"
    PROJECT_RESTORE = "restore project"
    CLOSED = "closed"


class Signal(StrEnum):
    """How what a state does has ended."""

    PASSED = "passed"
    FAILED = "failed"
    TIMEOUT = "timeout"  # moves as FAILED does, and is told apart in the outcome
    SKIP = "skip"  # a check said so
    JOB = "job"
    NO_JOB = "no job"
    AGAIN = "again"  # -repeat: one more pass of the same job
    SHELL = "shell"  # -shell: instead of the script


class Does(Struct, frozen=True):
    """The script of a state."""

    verb: Verb
    level: Level


SCRIPTS: dict[State, Does] = {
    State.SUITE_CHANGE: Does(Verb.RESTORE, Level.SUITE),
    State.PROJECT_PREPARE: Does(Verb.PREPARE, Level.PROJECT),
    State.BACKEND_PREPARE: Does(Verb.PREPARE, Level.BACKEND),
    State.SUITE_CHECK: Does(Verb.CHECK, Level.SUITE),
    State.SUITE_PREPARE: Does(Verb.PREPARE, Level.SUITE),
    State.TASK_CHECK: Does(Verb.CHECK, Level.TASK),
    State.TASK_PREPARE: Does(Verb.PREPARE, Level.TASK),
    State.EXECUTE: Does(Verb.EXECUTE, Level.TASK),
    State.TASK_RESTORE: Does(Verb.RESTORE, Level.TASK),
    State.SUITE_RESTORE: Does(Verb.RESTORE, Level.SUITE),
    State.BACKEND_RESTORE: Does(Verb.RESTORE, Level.BACKEND),
    State.PROJECT_RESTORE: Does(Verb.RESTORE, Level.PROJECT),
}

TABLE: dict[State, dict[Signal, State]] = {
    State.WANT_JOB: {Signal.JOB: State.SUITE_CHANGE, Signal.NO_JOB: State.SUITE_RESTORE},
    State.SUITE_CHANGE: {Signal.PASSED: State.PROJECT_PREPARE, Signal.FAILED: State.BACKEND_RESTORE},
    State.PROJECT_PREPARE: {Signal.PASSED: State.BACKEND_PREPARE, Signal.FAILED: State.PROJECT_RESTORE},
    State.BACKEND_PREPARE: {Signal.PASSED: State.SUITE_CHECK, Signal.FAILED: State.BACKEND_RESTORE},
    State.SUITE_CHECK: {Signal.PASSED: State.SUITE_PREPARE, Signal.SKIP: State.JOB_DONE, Signal.FAILED: State.JOB_DONE},
    State.SUITE_PREPARE: {Signal.PASSED: State.TASK_CHECK, Signal.FAILED: State.JOB_DONE},
    State.TASK_CHECK: {Signal.PASSED: State.TASK_PREPARE, Signal.SKIP: State.JOB_DONE, Signal.FAILED: State.JOB_DONE},
    State.TASK_PREPARE: {Signal.PASSED: State.SHELL_BEFORE, Signal.FAILED: State.ARTIFACTS},
    State.SHELL_BEFORE: {Signal.PASSED: State.EXECUTE},
    State.EXECUTE: {Signal.PASSED: State.SHELL_AFTER, Signal.FAILED: State.SHELL_AFTER, Signal.SHELL: State.SHELL_INSTEAD},
    State.SHELL_INSTEAD: {Signal.PASSED: State.ARTIFACTS},
    State.SHELL_AFTER: {Signal.PASSED: State.ARTIFACTS},
    State.ARTIFACTS: {Signal.PASSED: State.TASK_RESTORE, Signal.FAILED: State.TASK_RESTORE},
    State.TASK_RESTORE: {Signal.PASSED: State.JOB_DONE, Signal.FAILED: State.SUITE_RESTORE},
    State.JOB_DONE: {Signal.PASSED: State.WANT_JOB, Signal.AGAIN: State.TASK_PREPARE},
    State.SUITE_RESTORE: {Signal.PASSED: State.BACKEND_RESTORE, Signal.FAILED: State.BACKEND_RESTORE},
    State.BACKEND_RESTORE: {Signal.PASSED: State.PROJECT_RESTORE, Signal.FAILED: State.PROJECT_RESTORE},
    State.PROJECT_RESTORE: {Signal.PASSED: State.CLOSED, Signal.FAILED: State.CLOSED},
}


class WantJob(Struct, frozen=True):
    """Ask for the next job, preferably of this suite and task; answer with ``took``."""

    suite: str
    task: str


class RunScript(Struct, frozen=True):
    """Run the script of ``state``, if it has any; answer with ``ended``."""

    state: State
    verb: Verb
    level: Level
    job: Job  # in hand; for what is left behind, the last one that was
    debug: bool = True  # run the debug script, too, if this fails


class OpenShell(Struct, frozen=True):
    """Open a shell where the script of ``verb`` and ``level`` runs; answer with ``ended``, however it went."""

    occasion: ShellOccasion
    verb: Verb
    level: Level
    job: Job


class FetchArtifacts(Struct, frozen=True):
    """Fetch what the job's task names; answer with ``ended``."""

    job: Job


class DecideJob(Struct, frozen=True):
    """Report the job's outcome; needs no answer. ``verb`` and ``level`` say which script decided it."""

    job: Job
    outcome: Outcome
    verb: Verb
    level: Level
    reason: str


class Close(Struct, frozen=True):
    """Nothing more to do here; ``reason`` when that is not because the work is done, ``hold`` why the machine is to be held."""

    reason: str
    hold: str = ""


Action = WantJob | RunScript | OpenShell | FetchArtifacts | DecideJob | Close

SHELLS: dict[State, ShellOccasion] = {
    State.SHELL_BEFORE: ShellOccasion.BEFORE,
    State.SHELL_INSTEAD: ShellOccasion.INSTEAD,
    State.SHELL_AFTER: ShellOccasion.AFTER,
}

#: What is still done for a job that failed when its machine is to be held.
_BEFORE_HOLDING = (State.SHELL_AFTER, State.ARTIFACTS)
_LAST_RESTORES = (State.SUITE_RESTORE, State.BACKEND_RESTORE, State.PROJECT_RESTORE)
_VERDICTS = {Signal.FAILED: Outcome.FAILED, Signal.TIMEOUT: Outcome.TIMEOUT, Signal.SKIP: Outcome.SKIPPED}


class ScriptOrder:
    """The order of scripts of one session: call ``next``, do what it says, answer, and again until ``Close``."""

    def __init__(self, project: Project, options: RunOptions, *, may_hold: bool = False) -> None:
        self._project = project
        self._options = options
        self._may_hold = may_hold  # after a failure the machine is left as it is
        self._hold = ""  # why it is
        self._state = State.WANT_JOB
        self._job: Job | None = None
        self._earned: DecideJob | None = None  # what the job in hand will be reported as
        self._passes_left = 0
        self._last: Job | None = None  # the last job that scripts were run for
        self._debugging: OpenShell | None = None  # comes before what the state has to do
        self._project_entered = False
        self._backend_entered = False
        self._suite = ""  # the suite entered
        self._bad_suites: dict[str, tuple[Outcome, Verb, str]] = {}
        self._broken = ""  # why no further job is taken

    @property
    def job(self) -> Job | None:
        """The job in hand."""
        return self._job

    def next(self) -> Action:
        """Return what to do now."""
        if self._debugging is not None:
            return self._debugging
        while True:
            if self._job is not None and self._must_decide():
                return self._decide(self._job)
            if self._state is State.CLOSED:
                return Close(self._broken, self._hold)
            if self._hold and self._state not in _BEFORE_HOLDING:
                self._state = State.CLOSED
                continue
            action = self._action()
            if action is not None:
                return action
            self._state = TABLE[self._state][self._signal_of_nothing()]

    def took(self, job: Job | None) -> None:
        """Answer WantJob: ``job``, or None when there is none left."""
        assert self._state is State.WANT_JOB
        assert self._job is None
        if job is None:
            self._state = TABLE[State.WANT_JOB][Signal.NO_JOB]
            return
        self._job = job
        self._passes_left = 0 if self._options.restore_only else self._options.repeat
        if job.suite in self._bad_suites:
            outcome, verb, reason = self._bad_suites[job.suite]
            self._earn(outcome, verb, Level.SUITE, reason)
            self._state = State.JOB_DONE
        else:
            self._state = TABLE[State.WANT_JOB][Signal.JOB]

    def ended(self, signal: Signal, reason: str = "") -> None:
        """Answer what was to be done with PASSED, FAILED, TIMEOUT or, of a check, SKIP; ``reason`` says why."""
        if self._debugging is not None:
            self._debugging = None
            return
        failed = signal in (Signal.FAILED, Signal.TIMEOUT)
        if self._state in SCRIPTS:
            does = SCRIPTS[self._state]
            if failed and ShellOccasion.DEBUG in self._options.shells:
                self._debugging = OpenShell(ShellOccasion.DEBUG, does.verb, does.level, self._subject())
            self._note(does, signal, reason)
        elif self._state is State.SHELL_INSTEAD:
            self._earn(Outcome.PASSED, Verb.EXECUTE, Level.TASK, "")
        if failed and self._options.abend:
            self._end(Outcome.ABORTED, reason)
        else:
            self._state = TABLE[self._state][Signal.FAILED if failed else signal]

    def lost(self, reason: str) -> None:
        """The machine is gone: no script can follow, and a job without a verdict has none by this."""
        self._hold = ""
        self._end(Outcome.INFRA, reason)

    def cancelled(self, reason: str) -> None:
        """The run was cancelled: no script follows."""
        self._hold = ""
        self._end(Outcome.CANCELLED, reason)

    def _must_decide(self) -> bool:
        """Whether the job in hand is over: it is done and not repeated, or the session leaves with it."""
        if self._state is State.JOB_DONE:
            return not self._goes_again()
        return self._state is State.CLOSED or self._state in _LAST_RESTORES

    def _goes_again(self) -> bool:
        return self._passes_left > 0 and not self._broken and self._earned is not None and self._earned.outcome is Outcome.PASSED

    def _decide(self, job: Job) -> DecideJob:
        decided = self._earned or DecideJob(job, Outcome.PASSED, Verb.RESTORE, Level.TASK, "")  # -restore earns nothing
        self._job = self._earned = None
        return decided

    def _signal_of_nothing(self) -> Signal:
        """How a state with nothing to do ends."""
        if self._state is State.JOB_DONE and self._job is not None:  # not decided: one more pass
            self._passes_left -= 1
            self._earned = None
            return Signal.AGAIN
        if self._state is State.EXECUTE and self._wants_shell(ShellOccasion.INSTEAD):
            return Signal.SHELL
        return Signal.PASSED

    def _action(self) -> Action | None:
        """Return what there is to do in this state, entering the level that it enters."""
        if self._state is State.WANT_JOB:
            if self._last is None:
                return WantJob("", "")
            return WantJob(self._suite, self._last.task)
        if self._state is State.ARTIFACTS:
            return FetchArtifacts(self._job) if self._job is not None and self._wants_artifacts(self._job) else None
        if self._state in SHELLS:
            return self._shell(SHELLS[self._state])
        if self._state is State.JOB_DONE or not self._applies():
            return None
        does = SCRIPTS[self._state]
        job = self._last = self._subject()
        if self._state is State.EXECUTE and self._wants_shell(ShellOccasion.INSTEAD):
            return None
        if self._options.restore_only and does.verb is not Verb.RESTORE:
            return None
        return RunScript(
            self._state, does.verb, does.level, job, debug=self._earned is None or self._earned.outcome is Outcome.PASSED
        )

    def _subject(self) -> Job:
        """Return whose script the state's is: what is left belongs to the last job that was there."""
        leaves = self._state is State.SUITE_CHANGE or self._state in _LAST_RESTORES
        job = self._last if leaves else self._job
        assert job is not None
        return job

    def _shell(self, occasion: ShellOccasion) -> OpenShell | None:
        if not self._wants_shell(occasion):
            return None
        return OpenShell(occasion, Verb.EXECUTE, Level.TASK, self._subject())

    def _wants_shell(self, occasion: ShellOccasion) -> bool:
        """Whether a shell belongs to the execute of the job in hand; a task without that script has none."""
        if self._options.restore_only or occasion not in self._options.shells or self._job is None:
            return False
        return bool(self._project.task(self._job).execute.strip())

    def _applies(self) -> bool:
        """Whether the state has its script to run now, by the levels entered; a level is entered by asking."""
        entering = self._job is not None and self._suite != self._job.suite
        match self._state:
            case State.SUITE_CHANGE:
                return bool(self._suite) and entering
            case State.PROJECT_PREPARE:
                entered, self._project_entered = self._project_entered, True
                return not entered
            case State.BACKEND_PREPARE:
                entered, self._backend_entered = self._backend_entered, True
                return not entered
            case State.SUITE_CHECK:
                return entering
            case State.SUITE_PREPARE:
                if entering and self._job is not None:
                    self._suite = self._job.suite
                return entering
            case State.SUITE_RESTORE:
                return bool(self._suite)
            case State.BACKEND_RESTORE:
                return self._backend_entered
            case State.PROJECT_RESTORE:
                return self._project_entered
            case _:
                return True

    def _wants_artifacts(self, job: Job) -> bool:
        if not self._options.collect_artifacts or self._options.restore_only:
            return False
        return self._passes_left == 0 and bool(self._project.task(job).artifacts)

    def _note(self, does: Does, signal: Signal, reason: str) -> None:
        """Keep what the script's end means beyond the next state."""
        state = self._state
        if state is State.SUITE_CHANGE:
            self._suite = ""
        if signal is Signal.PASSED:
            if state is State.EXECUTE:
                self._earn(Outcome.PASSED, does.verb, does.level, "")
            return
        outcome = _VERDICTS[signal]
        what = f"{does.verb} of the {does.level} failed: {reason}"
        if self._may_hold and outcome is not Outcome.SKIPPED:
            self._hold = self._hold or f"{self._subject().name}: {what}"
        match state:
            case State.SUITE_CHANGE | State.PROJECT_PREPARE | State.BACKEND_PREPARE:
                self._broken = what
                self._earn(Outcome.ABORTED, does.verb, does.level, what)
            case State.SUITE_CHECK | State.SUITE_PREPARE:
                skipped = outcome is Outcome.SKIPPED
                spoilt = (Outcome.SKIPPED, does.verb, reason) if skipped else (Outcome.ABORTED, does.verb, what)
                assert self._job is not None
                self._bad_suites[self._job.suite] = spoilt
                self._earn(spoilt[0], does.verb, does.level, spoilt[2])
            case State.TASK_CHECK | State.TASK_PREPARE | State.EXECUTE:
                self._passes_left = 0
                self._earn(outcome, does.verb, does.level, reason)
            case State.TASK_RESTORE:
                self._broken = what
                if self._earned is None:  # -restore: this is all the job was asked to do
                    self._earn(outcome, does.verb, does.level, reason)
            case _:
                self._broken = self._broken or what

    def _earn(self, outcome: Outcome, verb: Verb, level: Level, reason: str) -> None:
        assert self._job is not None
        self._earned = DecideJob(self._job, outcome, verb, level, reason)

    def _end(self, outcome: Outcome, reason: str) -> None:
        self._broken = reason
        self._debugging = None
        if self._job is not None and self._earned is None:
            self._earn(outcome, Verb.EXECUTE, Level.TASK, reason)
        self._state = State.CLOSED
