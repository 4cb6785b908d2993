"""The life of a job: its transitions as data, and the one function that applies them.

Who calls it decides what happens; the tables repeat the rule as CHECKs and conditional updates (``record_changes``).
"""

from enum import StrEnum
from types import MappingProxyType
from typing import Final

from msgspec import Struct

from outspread.controller.values import JobState, Outcome
from outspread.errors import OutspreadError

#: So many attempts of a job may end without a verdict; then the job itself ends as ``infra``.
INFRA_LIMIT: Final = 3


class JobEvent(StrEnum):
    """What can happen to a job."""

    CLAIM = "claim"  # handed to a seat
    START = "start"  # its attempt began
    COLLECT = "collect"  # its command is over, its outputs are fetched
    FINISH = "finish"  # its attempt decided it
    LOSE = "lose"  # its attempt ended without a verdict, or its seat did
    GIVE_UP = "give-up"  # nobody will run it any more: no seat is left, or its infrastructure failures are used up
    CANCEL = "cancel"  # its run was cancelled


TRANSITIONS: Final = MappingProxyType(
    {
        (JobState.QUEUED, JobEvent.CLAIM): JobState.CLAIMED,
        (JobState.QUEUED, JobEvent.GIVE_UP): JobState.DONE,
        (JobState.QUEUED, JobEvent.CANCEL): JobState.CANCELLED,
        (JobState.CLAIMED, JobEvent.START): JobState.RUNNING,
        (JobState.CLAIMED, JobEvent.LOSE): JobState.QUEUED,
        (JobState.RUNNING, JobEvent.COLLECT): JobState.COLLECTING,
        (JobState.RUNNING, JobEvent.FINISH): JobState.DONE,
        (JobState.RUNNING, JobEvent.LOSE): JobState.QUEUED,
        (JobState.COLLECTING, JobEvent.FINISH): JobState.DONE,
        (JobState.COLLECTING, JobEvent.LOSE): JobState.QUEUED,
    }
)

#: States that a job never leaves.
FINAL_STATES: Final = frozenset({JobState.DONE, JobState.CANCELLED})


class IllegalTransitionError(OutspreadError):
    """What was to happen to a job cannot happen in its state."""


class Verdict(Struct, frozen=True):
    """What an attempt's outcome means for its job: the job's final ``outcome``, or None when it is queued again."""

    outcome: Outcome | None
    infra_failures: int


def advance(state: JobState, event: JobEvent) -> JobState:
    """Return the state after ``event``; raises IllegalTransitionError when the table has no such transition."""
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        raise IllegalTransitionError(f"cannot {event} a job that is {state}") from None


def judge(outcome: Outcome, infra_failures: int) -> Verdict:
    """Decide a job by the outcome of its attempt, after ``infra_failures`` earlier ones without a verdict."""
    if outcome is not Outcome.INFRA:
        return Verdict(outcome, infra_failures)
    infra_failures += 1
    return Verdict(Outcome.INFRA if infra_failures >= INFRA_LIMIT else None, infra_failures)
