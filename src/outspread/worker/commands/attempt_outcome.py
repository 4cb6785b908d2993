"""What the end of a command means for its attempt. Pure."""

from msgspec import Struct

from outspread.controller.values import Outcome
from outspread.worker.commands.executor import messages
from outspread.worker.commands.job_limits import JobLimits


class CommandEnd(Struct, frozen=True):
    """How a command ended, as its slot told it."""

    ending: str  # one of the words of ``messages``
    exit_code: int | None = None
    signal: int | None = None
    run_s: float = 0.0
    remark: str = ""
    directory_gone: bool = False  # it was empty, and is removed


def outcome_of(end: CommandEnd, *, timeout_s: float, limits: JobLimits) -> tuple[Outcome, str]:
    """Return the outcome of an attempt, and the reason when it did not pass."""
    match end.ending:
        case messages.EXITED if end.exit_code == 0:
            return Outcome.PASSED, ""
        case messages.EXITED if end.signal is not None:
            return Outcome.FAILED, f"killed by signal {end.signal}"
        case messages.EXITED:
            return Outcome.FAILED, f"exit code {end.exit_code}"
        case messages.OUT_OF_MEMORY:
            return Outcome.FAILED, limits.met_memory()
        case messages.PROCESS_LIMIT:
            return Outcome.FAILED, limits.met_processes()
        case messages.DISK_LIMIT:
            return Outcome.FAILED, limits.met_disk()
        case messages.TIMED_OUT:
            return Outcome.TIMEOUT, f"timeout of {timeout_s:g} s reached"
        case messages.STOPPED:
            return Outcome.CANCELLED, "cancelled"
        case messages.LAPSED:
            return Outcome.INFRA, "stopped at the end of its lease: the controller was out of reach"
        case messages.UNSTARTABLE:
            return Outcome.FAILED, end.remark
        case _:
            return Outcome.INFRA, end.remark
