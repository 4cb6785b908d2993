"""How often each address showed tokens that are not valid: bounded in number and in time. Pure."""

from collections import OrderedDict
from typing import Final

FAILURES_ALLOWED: Final = 20
PERIOD_S: Final = 60.0
_ADDRESSES: Final = 10_000


class FailedTokens:
    """The counts, by address. Of too many addresses, those are forgotten that were heard of first."""

    def __init__(self) -> None:
        self._counts: OrderedDict[str, tuple[float, int]] = OrderedDict()  # address -> (since, how many)

    def note(self, address: str, *, now: float) -> None:
        """Count one more."""
        since, count = self._counts.get(address, (now, 0))
        if now - since >= PERIOD_S:
            since, count = now, 0
        self._counts[address] = (since, count + 1)
        if len(self._counts) > _ADDRESSES:
            self._counts.popitem(last=False)

    def wait_s(self, address: str, *, now: float) -> float:
        """Return for how long no more tokens of this address are looked at; 0 when the next one is."""
        since, count = self._counts.get(address, (now, 0))
        return max(0.0, since + PERIOD_S - now) if count >= FAILURES_ALLOWED else 0.0
