"""One machine carried through a run's jobs for one system: feeds the order of scripts, and reports what happens."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from outspread.controller.values import (
    ArtifactsFetched,
    ArtifactsFetching,
    Assignment,
    AttemptFinished,
    AttemptStarted,
    DebugFinished,
    Level,
    Outcome,
    Rebooted,
    RebootRequested,
    Report,
    RunningLate,
    Seat,
    SeatClosed,
    ShellClosed,
    ShellOccasion,
    ShellOpened,
    StepFinished,
    StepOutput,
    StepStarted,
    Verb,
)
from outspread.errors import ConnectionLostError, InfrastructureError
from outspread.machines.contract import FetchedPaths, Shell
from outspread.machines.prologue import render_shell_setup
from outspread.project.environment import job_environment
from outspread.project.host_commands import no_host_commands
from outspread.project.model import Job
from outspread.project.timeouts import timeouts_for
from outspread.worker.captured_output import CapturedOutput
from outspread.worker.end_of_work import end_of_work
from outspread.worker.live_output import LiveOutput
from outspread.worker.machine_supply import MachineSupply
from outspread.worker.script_order import Close, DecideJob, FetchArtifacts, OpenShell, RunScript, ScriptOrder, Signal, WantJob
from outspread.worker.step_runner import StepEnd, StepResult, StepRunner, StepScript
from outspread.worker.step_scripts import (
    artifacts_directory,
    context_name,
    debug_parts,
    script_parts,
    skip_conditions,
    working_directory,
)
from outspread.worker.terminal_desk import TerminalDesk, open_shell

_SIGNALS = {StepEnd.PASSED: Signal.PASSED, StepEnd.FAILED: Signal.FAILED, StepEnd.TIMEOUT: Signal.TIMEOUT}
_OUTCOMES = {StepEnd.PASSED: Outcome.PASSED, StepEnd.FAILED: Outcome.FAILED, StepEnd.TIMEOUT: Outcome.TIMEOUT}


class _AttemptInHand:
    """What is known of the job in hand so far."""

    def __init__(self, job: Job, number: int, fence: int) -> None:
        self.job = job
        self.number = number
        self.fence = fence
        self.started = time.monotonic()
        self.log = CapturedOutput()
        self.deciding: StepResult | None = None  # the first step that failed, or else the execute


class Session:
    """Carries one seat. ``want`` asks for the next job; ``report`` takes each event; both are the worker's."""

    def __init__(
        self,
        seat: Seat,
        supply: MachineSupply,
        *,
        want: Callable[[WantJob], Awaitable[Assignment]],
        report: Callable[[Report], None],
        artifacts: Path | None,
        desk: TerminalDesk,
    ) -> None:
        self._seat = seat
        self._project = seat.project
        self._supply = supply
        self._want = want
        self._report = report
        self._artifacts = artifacts
        self._desk = desk
        self._order = ScriptOrder(seat.project, seat.options, may_hold=seat.may_hold)
        self._attempt: _AttemptInHand | None = None
        self._work: asyncio.Task[None] | None = None
        self._cancel_reason = ""
        self._lost = False
        self._hold = ""  # why the machine is to be held
        self._shell: Shell | None = None
        self._doing: RunScript | OpenShell | None = None

    async def run(self) -> None:
        """Do all there is to do for the seat, give the machine back, and report the seat closed. Raises nothing of its own."""
        self._work = asyncio.create_task(self._carry())
        reason = "the worker was stopped"
        try:
            reason = await end_of_work(self._work, lambda: self._cancel_reason)
        finally:
            self._work.cancel()
            await asyncio.wait([self._work])
            try:
                reason = self._settle(reason)
            finally:
                try:
                    await self._supply.release(lost=self._lost, hold=self._hold)
                finally:
                    held = bool(self._hold) and not reason
                    self._report(SeatClosed(time.time(), self._seat.seat_id, self._seat.fence, reason, held, self._lost))

    def cancel(self, reason: str) -> None:
        """End at once: the script that runs is killed, nothing but the clean-up follows."""
        self._cancel_reason = reason
        if self._work is not None:
            self._work.cancel()

    def _settle(self, reason: str) -> str:
        """Report the job in hand, if one is left after the work broke off; return why the seat closes."""
        if self._cancel_reason:
            self._order.cancelled(reason)
        elif reason:
            self._order.lost(reason)
        while isinstance(action := self._order.next(), DecideJob):
            self._decide(action)
        if not isinstance(action, Close):
            return reason
        self._hold = action.hold
        return reason or action.reason

    async def _carry(self) -> None:
        shell = self._shell = await self._supply.acquire()
        runner = StepRunner(
            shell,
            late=self._late,
            rebooting=self._rebooting,
            rebooted=self._rebooted,
            time_lines=self._seat.options.time_lines,
        )
        while not isinstance(action := self._order.next(), Close):
            try:
                match action:
                    case WantJob():
                        await self._take(action)
                    case RunScript():
                        await self._step(runner, action)
                    case OpenShell():
                        await self._open_shell(shell, action)
                        self._order.ended(Signal.PASSED)
                    case FetchArtifacts(job):
                        error = await self._fetch(shell, job, Level.TASK, self._project.task(job).artifacts)
                        self._order.ended(Signal.FAILED if error else Signal.PASSED, error)
                    case DecideJob():
                        self._decide(action)
            except ConnectionLostError as error:
                self._lost = True
                self._order.lost(str(error))

    async def _take(self, action: WantJob) -> None:
        assignment = await self._want(action)
        if assignment.job is not None:
            self._attempt = _AttemptInHand(assignment.job, assignment.attempt, assignment.fence)
            machine = self._supply.machine
            self._report(
                AttemptStarted(
                    time.time(),
                    self._seat.seat_id,
                    assignment.fence,
                    assignment.job.name,
                    assignment.attempt,
                    machine.machine_id,
                    str(machine),
                )
            )
        self._order.took(assignment.job)

    def _decide(self, decided: DecideJob) -> None:
        attempt, self._attempt = self._attempt, None
        assert attempt is not None
        assert attempt.job == decided.job
        deciding = attempt.deciding
        self._report(
            AttemptFinished(
                time.time(),
                self._seat.seat_id,
                attempt.fence,
                decided.job.name,
                attempt.number,
                decided.outcome,
                time.monotonic() - attempt.started,
                machine=str(self._supply.machine),
                verb=decided.verb,
                level=decided.level,
                exit_code=deciding.exit_code if deciding else None,
                signal=deciding.signal if deciding else None,
                reason=decided.reason,
                log=attempt.log.data().decode(errors="surrogateescape"),
            )
        )

    # --- one step ---------------------------------------------------------------------------------------------------

    async def _step(self, runner: StepRunner, action: RunScript) -> None:
        """Run the script of ``action`` if it has one, with its debug script if it fails, and tell the order."""
        self._doing = action
        if action.verb is Verb.CHECK:
            await self._check(runner, action)
            return
        if action.verb is Verb.RESTORE and action.level in (Level.SUITE, Level.PROJECT):
            await self._fetch_of_level(action)
        parts = script_parts(self._project, action.job, action.verb, action.level)
        if not parts:
            self._order.ended(Signal.PASSED)
            return
        result = await self._reported(runner, action, parts)
        if result.end is not StepEnd.PASSED and action.debug:
            await self._debug(runner, action)
        self._order.ended(_SIGNALS[result.end], result.reason)

    async def _check(self, runner: StepRunner, action: RunScript) -> None:
        for condition in skip_conditions(self._project, action.job, action.level):
            result = await self._reported(runner, action, (condition.script,), verdict=False)
            if result.end is StepEnd.PASSED:
                self._order.ended(Signal.SKIP, condition.reason)
                return
            if result.end is StepEnd.TIMEOUT:
                self._order.ended(Signal.TIMEOUT, result.reason)
                return
        self._order.ended(Signal.PASSED)

    async def _reported(
        self, runner: StepRunner, action: RunScript, parts: tuple[str, ...], *, verdict: bool = True
    ) -> StepResult:
        """Run a script between its two events; without ``verdict`` a failure is an answer, not a failure."""
        self._report(StepStarted(time.time(), *self._subject(action)))
        began = time.monotonic()
        result = await self._run(runner, action, parts)
        passed = result.end is StepEnd.PASSED or (not verdict and result.end is StepEnd.FAILED)
        text = result.output.decode(errors="surrogateescape")
        self._log(action.verb, text)
        if self._attempt is not None and (action.verb is Verb.EXECUTE or (not passed and self._attempt.deciding is None)):
            self._attempt.deciding = result
        self._report(
            StepFinished(
                time.time(),
                *self._subject(action),
                outcome=Outcome.PASSED if passed else _OUTCOMES[result.end],
                reason="" if passed else result.reason,
                error_text=result.error_text,
                output=text if not passed or self._seat.options.keep_output else "",
                duration_s=time.monotonic() - began,
            )
        )
        return result

    async def _debug(self, runner: StepRunner, action: RunScript) -> None:
        parts = debug_parts(self._project, action.job, action.level)
        if not parts:
            return
        began = time.monotonic()
        result = await self._run(runner, action, parts)
        text = result.output.decode(errors="surrogateescape")
        self._log("debug", text)
        self._report(
            DebugFinished(
                time.time(),
                *self._subject(action),
                outcome=_OUTCOMES[result.end],
                output=result.reason if result.error_text else text,
                duration_s=time.monotonic() - began,
            )
        )

    async def _run(self, runner: StepRunner, action: RunScript, parts: tuple[str, ...]) -> StepResult:
        script = self._script(action, parts)
        if not self._seat.options.live:
            return await runner.run(script)
        subject = self._subject(action)
        live = LiveOutput(lambda number, text: self._report(StepOutput(time.time(), *subject, piece=number, text=text)))
        try:
            return await runner.run(script, live.add)
        finally:
            live.finish()

    def _script(self, action: RunScript, parts: tuple[str, ...]) -> StepScript:
        job = action.job
        warn_s, kill_s = timeouts_for(self._project, job, action.level)
        return StepScript(
            parts,
            working_directory(self._project, job, action.level),
            job_environment(self._project, job, no_host_commands),
            warn_s=warn_s,
            kill_s=kill_s,
        )

    def _log(self, verb: str, text: str) -> None:
        """Keep what a step printed with the attempt in hand."""
        if self._attempt is not None:
            ended = text if text.endswith("\n") or not text else f"{text}\n"
            self._attempt.log.add(f"--- {verb}\n{ended}".encode(errors="surrogateescape"))

    def _subject(self, action: RunScript | OpenShell) -> tuple[Verb, Level, str, str, str, str, str, str, str]:
        """The fields that every event of a step begins with."""
        machine, job = self._supply.machine, action.job
        context = context_name(job, action.level)
        return (action.verb, action.level, context, str(machine), machine.label, job.backend, job.system, job.suite, job.name)

    def _late(self, excerpt: str) -> None:
        assert self._doing is not None
        self._report(RunningLate(time.time(), *self._subject(self._doing), excerpt=excerpt))

    def _rebooting(self, count: int) -> None:
        assert self._doing is not None
        self._report(RebootRequested(time.time(), *self._subject(self._doing), count=count))

    def _rebooted(self, count: int) -> None:
        assert self._doing is not None
        self._report(Rebooted(time.time(), *self._subject(self._doing), count=count))

    # --- shells -----------------------------------------------------------------------------------------------------

    async def _open_shell(self, shell: Shell, action: OpenShell) -> None:
        """Open a shell where the script of ``action`` runs. One instead of a script is counted as that script's run."""
        job, occasion, subject = action.job, action.occasion, self._subject(action)
        setup = render_shell_setup(
            prompt=f"{job.backend}:{job.system} .../",
            directory=working_directory(self._project, job, action.level),
            environment=(*job_environment(self._project, job, no_host_commands), ("SPREAD_REBOOT", "0")),
        )
        instead = occasion is ShellOccasion.INSTEAD
        if instead:
            self._report(StepStarted(time.time(), *subject))
        began = time.monotonic()
        await open_shell(
            self._desk,
            shell,
            setup,
            opened=lambda: self._report(ShellOpened(time.time(), *subject, occasion=occasion)),
            closed=lambda reason: self._report(ShellClosed(time.time(), *subject, occasion=occasion, reason=reason)),
        )
        if instead:
            self._report(StepFinished(time.time(), *subject, duration_s=time.monotonic() - began))

    # --- artifacts --------------------------------------------------------------------------------------------------

    async def _fetch_of_level(self, action: RunScript) -> None:
        """Fetch what a suite or the project wants kept (spread-plus), before their restore removes it."""
        patterns = self._project.artifacts if action.level is Level.PROJECT else self._project.suites[action.job.suite].artifacts
        if patterns and self._seat.options.collect_artifacts:
            assert self._shell is not None
            await self._fetch(self._shell, action.job, action.level, patterns)

    async def _fetch(self, shell: Shell, job: Job, level: Level, patterns: tuple[str, ...]) -> str:
        """Copy the artifacts that ``patterns`` name; return what went wrong, or ""."""
        if self._artifacts is None:
            return ""
        name = artifacts_directory(job, level)
        machine = str(self._supply.machine)
        source = {Level.TASK: f"{self._project.path}/{job.task}", Level.SUITE: f"{self._project.path}/{job.suite}"}
        self._report(ArtifactsFetching(time.time(), name or self._project.name, machine))
        fetched, error, lost = FetchedPaths(0), "", None
        try:
            fetched = await shell.fetch(source.get(level, self._project.path), patterns, self._artifacts / name)
        except (InfrastructureError, OSError) as problem:
            error = f"cannot fetch artifacts of {name or self._project.name}: {problem}"
            lost = problem if isinstance(problem, ConnectionLostError) else None
        refused = (f"{path} (it is no file, or leads outside)" for path in fetched.refused)
        lacking = (*fetched.missing, *refused)
        self._report(ArtifactsFetched(time.time(), name or self._project.name, machine, fetched.files, lacking, error))
        if lost is not None:
            raise lost
        return error
