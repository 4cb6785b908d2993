"""What a worker reports of an attempt, with what no command can have taken or done clipped: a worker may be wrong, or lie."""

import math
import re
from typing import Final

from msgspec import structs

from outspread.controller.command_values import AttemptEnd
from outspread.controller.values import Outcome

_REPORTED: Final = frozenset({Outcome.PASSED, Outcome.FAILED, Outcome.TIMEOUT, Outcome.CANCELLED, Outcome.INFRA})
_LONGEST_S: Final = 1e7
_LARGEST_CODE: Final = 2**31
_REASON_CHARACTERS: Final = 1000
_DIGEST: Final = re.compile(r"[0-9a-f]{64}/(0|[1-9][0-9]{0,15})", re.ASCII)


def plausible(end: AttemptEnd) -> AttemptEnd:
    """Return the report with each value in its bounds; an outcome that is no worker's to tell is an infrastructure failure."""
    return structs.replace(
        end,
        outcome=end.outcome if end.outcome in _REPORTED else Outcome.INFRA,
        run_s=_clipped(end.run_s),
        fetch_s=_clipped(end.fetch_s),
        collect_s=_clipped(end.collect_s),
        exit_code=_small(end.exit_code),
        signal=_small(end.signal),
        reason=end.reason[:_REASON_CHARACTERS],
        remark=end.remark[:_REASON_CHARACTERS],
        outputs=end.outputs if _DIGEST.fullmatch(end.outputs) else "",
    )


def _small(number: int | None) -> int | None:
    return number if number is not None and abs(number) <= _LARGEST_CODE else None


def _clipped(seconds: float) -> float:
    return 0.0 if math.isnan(seconds) else max(0.0, min(seconds, _LONGEST_S))
