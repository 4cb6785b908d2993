"""Fair share between owners: who has had least goes first. Pure.

Start-time fair queueing: each owner has a virtual time, which grows by the seconds of work handed out to it, divided by its
weight; one who comes back after having had nothing to do starts where the least served of the others is, so that absence earns
nothing.
"""

from collections.abc import Callable


class OwnerShares:
    """The virtual times of all owners, in seconds of work."""

    def __init__(self, weight: Callable[[str], float] = lambda _: 1.0) -> None:
        self._weight = weight
        self._served_s: dict[str, float] = {}
        self._jobs: dict[str, int] = {}  # waiting ones, of owners that have any
        self._reached_s = 0.0  # what the owner served last had reached: where newcomers start when nobody waits

    def served_s(self, owner: str) -> float:
        """Return what the owner has had so far, as virtual time."""
        return self._served_s.get(owner, 0.0)

    def wait(self, owner: str, jobs: int = 1) -> None:
        """Note that more jobs of ``owner`` wait."""
        if owner not in self._jobs:
            least_s = min((self._served_s[other] for other in self._jobs), default=self._reached_s)
            self._served_s[owner] = max(self._served_s.get(owner, 0.0), least_s)
            self._jobs[owner] = 0
        self._jobs[owner] += jobs

    def leave(self, owner: str, jobs: int = 1) -> None:
        """Note that jobs of ``owner`` do not wait any more."""
        self._jobs[owner] -= jobs
        if not self._jobs[owner]:
            del self._jobs[owner]

    def serve(self, owner: str, seconds: float) -> None:
        """Charge ``owner`` for work; negative when it took less than was charged before."""
        seconds /= self._weight(owner)
        served_s = max(0.0, self._served_s.get(owner, 0.0) + seconds)
        self._served_s[owner] = served_s
        if seconds > 0:
            self._reached_s = max(self._reached_s, served_s - seconds)
