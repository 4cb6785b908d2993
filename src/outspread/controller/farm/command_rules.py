"""What the end of an attempt means for its job: retries, infrastructure failures, poison. Pure."""

from typing import Final

from msgspec import Struct

from outspread.controller.values import Outcome

#: So many attempts of a job may end without a verdict; then the job itself ends as ``infra``.
INFRA_LIMIT: Final = 5
#: A job that ended so many different workers is poison.
POISON_LIMIT: Final = 3


class Tries(Struct, frozen=True):
    """What a job has behind it."""

    failures: int = 0  # attempts that failed or took too long
    infra_failures: int = 0
    ended_workers: frozenset[str] = frozenset()  # that were lost with it in their hands


class Decision(Struct, frozen=True):
    """What becomes of a job: final with ``outcome``, or queued again when that is None."""

    tries: Tries
    outcome: Outcome | None
    reason: str = ""


def decide(tries: Tries, outcome: Outcome, *, retries: int, reason: str = "", lost_worker: str = "") -> Decision:
    """Decide a job by the outcome of its newest attempt; ``lost_worker`` was lost with it."""
    if outcome in {Outcome.FAILED, Outcome.TIMEOUT}:
        tries = Tries(tries.failures + 1, tries.infra_failures, tries.ended_workers)
        return Decision(tries, outcome if tries.failures > retries else None, reason)
    if outcome is not Outcome.INFRA:
        return Decision(tries, outcome, reason)
    ended = tries.ended_workers | {lost_worker} if lost_worker else tries.ended_workers
    tries = Tries(tries.failures, tries.infra_failures + 1, ended)
    if len(ended) >= POISON_LIMIT:
        return Decision(tries, Outcome.INFRA, f"it ended {len(ended)} workers: {', '.join(sorted(ended))}")
    return Decision(tries, Outcome.INFRA if tries.infra_failures >= INFRA_LIMIT else None, reason)
