"""The order of scripts, held against a plain procedural model of Spread's rules for random projects and random failures."""

from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct

from outspread.controller.values import Level, Outcome, RunOptions, ShellOccasion, Verb
from outspread.project.model import Backend, Job, Project, Suite, System, Task
from outspread.worker.script_order import (
    SCRIPTS,
    SHELLS,
    TABLE,
    Close,
    DecideJob,
    FetchArtifacts,
    OpenShell,
    RunScript,
    ScriptOrder,
    Signal,
    State,
    WantJob,
)

SUITES = ("a/", "b/", "c/")


def make_project() -> Project:
    suites = {
        suite: Suite(
            suite,
            "s",
            {
                f"{suite}t{n}": Task(
                    f"{suite}t{n}", suite, "s", execute="" if n == 2 else "true", artifacts=("x",) if n == 0 else ()
                )
                for n in range(3)
            },
        )
        for suite in SUITES
    }
    backend = Backend("lxd", "lxd", {"debian-12": System("debian-12", "lxd")})
    return Project("p", "/root", "/root/spread.yaml", "/p", {"lxd": backend}, suites)


PROJECT = make_project()


def make_job(suite: str, number: int) -> Job:
    task = f"{suite}t{number}"
    return Job(f"lxd:debian-12:{task}", "lxd", "debian-12", suite, task)


class Done(Struct, frozen=True):
    """One script that was run, and how it ended."""

    verb: Verb
    level: Level
    task: str
    debug: bool
    signal: Signal


#: Says how the next script ends: ``(verb, level, task) -> signal``.
Fate = Callable[[Verb, Level, str], Signal]


def drive(jobs: list[Job], options: RunOptions, fate: Fate) -> tuple[list[Done | str], list[tuple[str, Outcome]], str]:
    """Drive a ScriptOrder to its end; return what was done, the outcomes, and why it closed."""
    order = ScriptOrder(PROJECT, options)
    waiting = list(jobs)
    trace: list[Done | str] = []
    outcomes: list[tuple[str, Outcome]] = []
    for _ in range(10_000):
        action = order.next()
        match action:
            case WantJob():
                order.took(waiting.pop(0) if waiting else None)
            case RunScript():
                signal = fate(action.verb, action.level, action.job.task)
                trace.append(Done(action.verb, action.level, action.job.task, action.debug, signal))
                order.ended(signal, "because")
            case OpenShell(occasion, verb, level, job):
                trace.append(shell(occasion, verb, level, job))
                order.ended(Signal.PASSED)
            case FetchArtifacts(job):
                trace.append(f"artifacts of {job.task}")
                order.ended(Signal.PASSED)
            case DecideJob():
                outcomes.append((action.job.task, action.outcome))
            case Close(reason):
                return trace, outcomes, reason
    raise AssertionError("the order does not come to an end")


def shell(occasion: ShellOccasion, verb: Verb, level: Level, job: Job) -> str:
    return f"shell {occasion} {verb} of {level}, {job.task}"


class Stop(Exception):
    """The model's session takes no further job."""


class Model:
    """Spread's rules as nested steps, written down without states."""

    def __init__(self, options: RunOptions, fate: Fate) -> None:
        self.options = options
        self.fate = fate
        self.trace: list[Done | str] = []
        self.outcomes: list[tuple[str, Outcome]] = []
        self.abended = False

    def script(self, verb: Verb, level: Level, job: Job, *, debug: bool = True) -> Signal:
        signal = self.fate(verb, level, job.task)
        self.trace.append(Done(verb, level, job.task, debug, signal))
        if signal in (Signal.FAILED, Signal.TIMEOUT) and self.options.abend:
            self.abended = True
        elif signal in (Signal.FAILED, Signal.TIMEOUT):
            self.shell(ShellOccasion.DEBUG, verb, level, job)
        return signal

    def shell(self, occasion: ShellOccasion, verb: Verb, level: Level, job: Job) -> None:
        if occasion in self.options.shells:
            self.trace.append(shell(occasion, verb, level, job))

    def execute(self, job: Job) -> Signal:
        shells = self.options.shells if PROJECT.task(job).execute else ()
        if ShellOccasion.BEFORE in shells:
            self.shell(ShellOccasion.BEFORE, Verb.EXECUTE, Level.TASK, job)
        if ShellOccasion.INSTEAD in shells:
            self.shell(ShellOccasion.INSTEAD, Verb.EXECUTE, Level.TASK, job)
            return Signal.PASSED
        signal = self.script(Verb.EXECUTE, Level.TASK, job)
        if ShellOccasion.AFTER in shells and not self.abended:
            self.shell(ShellOccasion.AFTER, Verb.EXECUTE, Level.TASK, job)
        return signal

    def unless_restoring(self, verb: Verb, level: Level, job: Job) -> Signal:
        return Signal.PASSED if self.options.restore_only else self.script(verb, level, job)

    def run(self, jobs: list[Job]) -> None:
        entered: list[Level] = []
        suite = ""
        bad: dict[str, Outcome] = {}
        last: Job | None = None
        try:
            for job in jobs:
                if job.suite in bad:
                    self.outcomes.append((job.task, bad[job.suite]))
                    continue
                if suite and suite != job.suite:
                    assert last is not None
                    suite = ""
                    if self.script(Verb.RESTORE, Level.SUITE, last) is not Signal.PASSED:
                        self.outcomes.append((job.task, Outcome.ABORTED))
                        raise Stop
                last = job
                if not entered:
                    for level in (Level.PROJECT, Level.BACKEND):
                        entered.append(level)
                        if self.unless_restoring(Verb.PREPARE, level, job) is not Signal.PASSED:
                            self.outcomes.append((job.task, Outcome.ABORTED))
                            raise Stop
                if suite != job.suite:
                    checked = self.unless_restoring(Verb.CHECK, Level.SUITE, job)
                    if checked is Signal.PASSED:
                        suite = job.suite
                        checked = self.unless_restoring(Verb.PREPARE, Level.SUITE, job)
                    if checked is not Signal.PASSED:
                        bad[job.suite] = Outcome.SKIPPED if checked is Signal.SKIP else Outcome.ABORTED
                        self.outcomes.append((job.task, bad[job.suite]))
                        self.stop_if_abended()
                        continue
                self.job(job)
        except Stop:
            pass
        for level in [*([Level.SUITE] if suite else []), *reversed(entered)]:
            if self.abended:
                break
            assert last is not None
            self.script(Verb.RESTORE, level, last)

    def stop_if_abended(self) -> None:
        if self.abended:
            raise Stop

    def job(self, job: Job) -> None:
        outcome = Outcome.PASSED
        passes = 1 if self.options.restore_only else self.options.repeat + 1
        try:
            while passes and outcome is Outcome.PASSED:
                passes -= 1
                outcome = self.once(job, last_pass=passes == 0)
        except Stop:
            self.outcomes.append((job.task, self.earned))
            raise
        self.outcomes.append((job.task, outcome))

    def once(self, job: Job, *, last_pass: bool) -> Outcome:
        self.earned = Outcome.PASSED
        if not self.options.restore_only:
            for verb in (Verb.CHECK, Verb.PREPARE, Verb.EXECUTE):
                if verb is Verb.CHECK and not self.first_pass(job):
                    continue
                signal = self.execute(job) if verb is Verb.EXECUTE else self.script(verb, Level.TASK, job)
                if signal is Signal.SKIP:
                    return Outcome.SKIPPED
                if signal is not Signal.PASSED:
                    self.earned = Outcome.TIMEOUT if signal is Signal.TIMEOUT else Outcome.FAILED
                    self.stop_if_abended()
                    if verb is Verb.CHECK:
                        return self.earned
                    break
            if (
                self.options.collect_artifacts
                and PROJECT.task(job).artifacts
                and (last_pass or self.earned is not Outcome.PASSED)
            ):
                self.trace.append(f"artifacts of {job.task}")
        restored = self.script(Verb.RESTORE, Level.TASK, job, debug=self.earned is Outcome.PASSED)
        if restored is not Signal.PASSED:
            if self.options.restore_only:
                self.earned = Outcome.TIMEOUT if restored is Signal.TIMEOUT else Outcome.FAILED
            raise Stop
        return self.earned

    def first_pass(self, job: Job) -> bool:
        prepares = [done for done in self.trace if isinstance(done, Done) and done.level is Level.TASK]
        return not prepares or prepares[-1].task != job.task


def fates(seed: int) -> Fate:
    """Return a fate that is mostly kind, and the same for the same questions in the same order."""
    state = seed

    def fate(verb: Verb, level: Level, task: str) -> Signal:
        nonlocal state
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        dice = (state >> 33) % 12
        if verb is Verb.CHECK:
            return {0: Signal.SKIP, 1: Signal.TIMEOUT}.get(dice, Signal.PASSED)
        return {0: Signal.FAILED, 1: Signal.TIMEOUT}.get(dice, Signal.PASSED)

    return fate


#: Distinct jobs in any order: a session may be handed suites back and forth.
job_lists = st.lists(st.builds(make_job, st.sampled_from(SUITES), st.integers(0, 2)), max_size=9, unique=True)
option_sets = st.builds(
    RunOptions,
    repeat=st.integers(0, 2),
    restore_only=st.booleans(),
    abend=st.booleans(),
    collect_artifacts=st.booleans(),
    shells=st.sets(st.sampled_from(ShellOccasion)).map(lambda occasions: tuple(sorted(occasions))),
)


@settings(max_examples=2000, deadline=None)
@given(job_lists, option_sets, st.integers(0, 2**64 - 1))
def test_order_is_that_of_the_model(jobs: list[Job], options: RunOptions, seed: int) -> None:
    model = Model(options, fates(seed))
    model.run(jobs)
    trace, outcomes, _ = drive(jobs, options, fates(seed))
    assert trace == model.trace
    assert outcomes == model.outcomes


@settings(max_examples=500, deadline=None)
@given(job_lists, st.integers(0, 60), st.booleans(), st.integers(0, 2**64 - 1))
def test_nothing_runs_after_the_machine_is_lost_or_the_run_cancelled(jobs: list[Job], when: int, lost: bool, seed: int) -> None:
    order = ScriptOrder(PROJECT, RunOptions(shells=tuple(ShellOccasion)))
    waiting = list(jobs)
    fate = fates(seed)
    taken: list[str] = []
    outcomes: list[tuple[str, Outcome]] = []
    broken = False
    for count in range(1000):
        if count == when:
            (order.lost if lost else order.cancelled)("gone")
            broken = True
        action = order.next()
        match action:
            case WantJob():
                assert not broken
                job = waiting.pop(0) if waiting else None
                taken += [job.task] if job else []
                order.took(job)
            case RunScript():
                assert not broken
                order.ended(fate(action.verb, action.level, action.job.task))
            case OpenShell():
                assert not broken
                order.ended(Signal.PASSED)
            case DecideJob():
                outcomes.append((action.job.task, action.outcome))
            case Close(reason):
                assert reason == "gone" or not broken
                break
    assert [task for task, _ in outcomes] == taken  # each job taken is decided, once
    unjudged = Outcome.INFRA if lost else Outcome.CANCELLED
    assert all(outcome is not unjudged for _, outcome in outcomes[:-1])


def test_table_is_closed_and_reaches_every_state() -> None:
    reached = {State.WANT_JOB} | {target for row in TABLE.values() for target in row.values()}
    assert reached == set(State)
    assert set(TABLE) == set(State) - {State.CLOSED}
    for state in SCRIPTS:
        assert {Signal.PASSED, Signal.FAILED} <= set(TABLE[state])
    for state in SHELLS:
        assert set(TABLE[state]) == {Signal.PASSED}


def test_a_suite_restore_that_fails_is_run_once() -> None:
    """Spread runs, and counts, it twice."""

    def fate(verb: Verb, level: Level, task: str) -> Signal:
        return Signal.FAILED if (verb, level) == (Verb.RESTORE, Level.SUITE) else Signal.PASSED

    trace, outcomes, reason = drive([make_job("a/", 0), make_job("b/", 0), make_job("b/", 1)], RunOptions(), fate)
    restores = [done for done in trace if isinstance(done, Done) and (done.verb, done.level) == (Verb.RESTORE, Level.SUITE)]
    assert len(restores) == 1
    assert outcomes == [("a/t0", Outcome.PASSED), ("b/t0", Outcome.ABORTED)]
    assert reason == "restore of the suite failed: because"


def ends_of(order: ScriptOrder, jobs: list[Job], failing: tuple[Verb, Level]) -> tuple[list[str], Close]:
    """Run ``order``, with the scripts of ``failing`` failing; return what was done for jobs, and its end."""
    left = list(jobs)
    done: list[str] = []
    while True:
        match order.next():
            case Close() as close:
                return done, close
            case WantJob():
                order.took(left.pop(0) if left else None)
            case RunScript(verb=verb, level=level):
                done.append(f"{verb} {level}")
                order.ended(Signal.FAILED if (verb, level) == failing else Signal.PASSED, "why")
            case FetchArtifacts():
                done.append("artifacts")
                order.ended(Signal.PASSED)
            case DecideJob(outcome=outcome):
                done.append(outcome)
            case OpenShell():
                order.ended(Signal.PASSED)


def test_a_machine_that_may_be_held_is_left_as_it_is_after_a_failure() -> None:
    jobs = [make_job("a/", 0), make_job("a/", 1)]
    order = ScriptOrder(PROJECT, RunOptions(collect_artifacts=True), may_hold=True)
    done, end = ends_of(order, jobs, (Verb.EXECUTE, Level.TASK))
    assert done[-3:] == ["execute task", "artifacts", "failed"]
    assert (end.reason, end.hold) == ("", "lxd:debian-12:a/t0: execute of the task failed: why")


def test_what_fails_above_a_job_holds_the_machine_too_and_gives_the_seat_up_as_always() -> None:
    for level, reason in ((Level.PROJECT, "prepare of the project failed: why"), (Level.SUITE, "")):
        order = ScriptOrder(PROJECT, RunOptions(), may_hold=True)
        done, end = ends_of(order, [make_job("a/", 0)], (Verb.PREPARE, level))
        assert done[-2:] == [f"prepare {level}", "aborted"]
        assert end.reason == reason
        assert end.hold == f"lxd:debian-12:a/t0: prepare of the {level} failed: why"


def test_a_machine_is_not_held_that_may_not_be_or_is_lost() -> None:
    order = ScriptOrder(PROJECT, RunOptions())
    done, end = ends_of(order, [make_job("a/", 0)], (Verb.EXECUTE, Level.TASK))
    assert done[-1] == "restore project"
    assert end.hold == ""
    order = ScriptOrder(PROJECT, RunOptions(), may_hold=True)
    order.next()
    order.took(make_job("a/", 0))
    assert isinstance(order.next(), RunScript)
    order.ended(Signal.FAILED, "why")
    order.lost("gone")
    while not isinstance(action := order.next(), Close):
        pass
    assert action.hold == ""
