"""What whoever keeps a farm has set: shares of owners, quotas, named limits. Pure."""

from typing import Final

from msgspec import Struct

from outspread.controller.farm.ready_queue import Lane

#: How many jobs of a named limit may run at once when nobody has set it: it is a lock.
USUAL_LIMIT: Final = 1


class FarmPolicy(Struct, frozen=True, forbid_unknown_fields=True):
    """Who may have how much at once; an owner that is not named has weight 1 and no quota."""

    limits: dict[str, int] = {}  # name -> jobs at once that count against it
    weights: dict[str, float] = {}  # owner -> share beside the others
    quotas: dict[str, int] = {}  # owner -> jobs at once

    def limit(self, name: str) -> int:
        return self.limits.get(name, USUAL_LIMIT)

    def weight(self, owner: str) -> float:
        return self.weights.get(owner, 1.0)


class Usage:
    """What is in use of the limits and quotas of a policy."""

    def __init__(self, policy: FarmPolicy) -> None:
        self.policy = policy
        self._of_limit: dict[str, int] = {}
        self._of_owner: dict[str, int] = {}

    def take(self, owner: str, lane: Lane) -> None:
        """Count a job in."""
        self._of_owner[owner] = self._of_owner.get(owner, 0) + 1
        for name in lane.limits:
            self._of_limit[name] = self._of_limit.get(name, 0) + 1

    def give_back(self, owner: str, lane: Lane) -> None:
        """Count a job out."""
        self._of_owner[owner] -= 1
        if not self._of_owner[owner]:
            del self._of_owner[owner]
        for name in lane.limits:
            self._of_limit[name] -= 1

    def is_scarce(self, lane: Lane) -> bool:
        """Tell whether a job of this lane that ends may be what another has waited for."""
        return bool(lane.limits or self.policy.quotas)

    def full_limit(self, lane: Lane) -> str:
        """Return the limit that keeps jobs of a lane from running now; empty when none does."""
        return next((name for name in lane.limits if self._of_limit.get(name, 0) >= self.policy.limit(name)), "")

    def is_barred(self, owner: str) -> bool:
        """Tell whether an owner has all that its quota allows."""
        quota = self.policy.quotas.get(owner)
        return quota is not None and self._of_owner.get(owner, 0) >= quota

    def reason(self, owner: str, lane: Lane) -> str:
        """Return why a job of this owner and lane may not run now, in words; empty when it may."""
        if name := self.full_limit(lane):
            limit = self.policy.limit(name)
            return f"limit {name} is reached: {self._of_limit.get(name, 0)} of {limit} in use"
        if self.is_barred(owner):
            return f"quota of {owner} is reached: {self._of_owner.get(owner, 0)} of {self.policy.quotas[owner]} jobs run"
        return ""
