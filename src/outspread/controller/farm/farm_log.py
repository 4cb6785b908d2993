"""What a farm's log says of what happens: a line for each attempt that ends, for each run that comes, is cancelled or is over."""

import logging
from collections.abc import Iterable
from typing import Final

from outspread.controller.farm.attempt_ids import attempt_id_of
from outspread.controller.farm.farm_changes import AttemptOver, FarmChange, RunAccepted, RunOver, RunStopped, WorkerHeld

_log = logging.getLogger(__name__)

_DIGITS: Final = 3


def log_changes(changes: Iterable[FarmChange]) -> None:
    """Write a line for each change that is worth one."""
    if not _log.isEnabledFor(logging.INFO):
        return
    for change in changes:
        match change:
            case AttemptOver():
                _log.info("attempt ended", extra=_attempt(change))
            case RunAccepted():
                told = {"run": change.run_id, "owner": change.owner, "project": change.project, "jobs": change.total}
                _log.info("run accepted", extra=told)
            case RunStopped():
                _log.info("run cancelled", extra={"run": change.run_id, "reason": change.reason})
            case RunOver():
                counts = change.counts
                told = {"run": change.run_id, "passed": counts.passed, "failed": counts.failed}
                _log.info("run over", extra={**told, "infra": counts.infra, "cancelled": counts.cancelled, "flaky": counts.flaky})
            case WorkerHeld():
                _log.warning("worker held", extra={"worker": change.worker, "reason": change.reason, "until": change.until})


def _attempt(change: AttemptOver) -> dict[str, object]:
    end = change.end
    told: dict[str, object] = {
        "attempt": attempt_id_of(change.run_id, change.number, change.attempt),
        "fence": change.fence,
        "worker": change.worker,
        "outcome": end.outcome.value,
        "run_s": round(end.run_s, _DIGITS),
        "fetch_s": round(end.fetch_s, _DIGITS),
        "collect_s": round(end.collect_s, _DIGITS),
        "job": (change.outcome or change.state).value,
    }
    if end.reason:
        told["reason"] = end.reason
    return told
