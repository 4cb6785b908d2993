"""What the end of an attempt means for its job: retries, infrastructure failures, poison. Pure."""

from typing import Final

from msgspec import Struct

from outspread.controller.values import Outcome

#: So many attempts of a job may end without a verdict; then the job itself ends as ``infra``.
INFRA_LIMIT: Final = 5
#: A job that ended so many different workers is poison.
POISON_LIMIT: Final = 3
#: One that was in the hands of so many is suspect: a worker is given no other such job beside it, so that the next loss tells.
SUSPECT_LIMIT: Final = 2


class Tries(Struct, frozen=True):
    """What a job has behind it."""

    failures: int = 0  # attempts that failed or took too long
    infra_failures: int = 0
    ended_workers: frozenset[str] = frozenset()  # that were lost with it in their hands

    @property
    def is_suspect(self) -> bool:
        return len(self.ended_workers) >= SUSPECT_LIMIT

    def lost_with(self, worker: str) -> "Tries":
        """Return these, and that a worker was lost; no failure is counted."""
        return Tries(self.failures, self.infra_failures, self.ended_workers | {worker})


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
    if lost_worker:
        tries = tries.lost_with(lost_worker)
    ended = tries.ended_workers
    tries = Tries(tries.failures, tries.infra_failures + 1, ended)
    if len(ended) >= POISON_LIMIT:
        return Decision(tries, Outcome.INFRA, f"it ended {len(ended)} workers: {', '.join(sorted(ended))}")
    return Decision(tries, Outcome.INFRA if tries.infra_failures >= INFRA_LIMIT else None, reason)
