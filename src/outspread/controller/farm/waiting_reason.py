"""Why a queued job waits, in words for people. Pure."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from outspread.controller.farm.ready_queue import Lane
from outspread.controller.farm.run_state import RunState
from outspread.controller.farm.scheduler import Scheduler
from outspread.controller.farm.worker_state import WorkerState


class Wait(NamedTuple):
    """Why a job waits; when it is only for those before it, how many they are and how long they will probably take."""

    reason: str
    ahead: int | None = None
    starts_in_s: float | None = None


def why_it_waits(scheduler: Scheduler, run: RunState, number: int, *, at: float) -> Wait:
    """Return what a queued job of ``run`` waits for: a worker that there is none of, one on hold, a limit, or those before it."""
    lane = run.lanes[number]
    workers = list(scheduler.workers.values())
    able = [worker for worker in workers if worker.may_serve(lane)]
    if not workers:
        return Wait("there is no worker")
    if not able:
        return Wait(_missing(lane, workers))
    connected = [worker for worker in able if worker.connected]
    if not connected:
        return Wait(f"no worker{_having(lane)} is connected; last seen: {_names(able)}")
    working = [worker for worker in connected if worker.takes_work(at)]
    if not working:
        return Wait(_not_working(connected, lane))
    slots = sum(worker.slots for worker in working)
    count, seconds = scheduler.queue.ahead(run.ready_job(number), lane, run.priorities[number], run.expected_s[number])
    starts_in_s = max(seconds, count * (run.usual_s or 0.0)) / max(slots, 1)
    if reason := scheduler.usage.reason(run.owner, lane):
        return Wait(reason, count, None)
    if not count:
        return Wait(f"next; waits for one of {slots} slots", 0, starts_in_s)
    about = f", about {_span(starts_in_s)}" if starts_in_s else ""
    return Wait(f"behind {count} jobs{about}", count, starts_in_s or None)


def _missing(lane: Lane, workers: Sequence[WorkerState]) -> str:
    """Name the first dimension that no worker has; if each is there, but not together, all of them."""
    for key, value in lane.requires:
        if not any(worker.dimensions.get(key) == value for worker in workers):
            return f"no worker has {key}={value}"
    return f"no worker has all of {', '.join(f'{key}={value}' for key, value in lane.requires)}"


def _not_working(workers: Sequence[WorkerState], lane: Lane) -> str:
    held = [worker for worker in workers if worker.health.hold or worker.hold_reason]
    if held:
        reason = held[0].health.hold or held[0].hold_reason
        return f"each worker{_having(lane)} is on hold or leaving; {held[0].name}: {reason}"
    return f"each worker{_having(lane)} is leaving: {_names(workers)}"


def _having(lane: Lane) -> str:
    return f" with {', '.join(f'{key}={value}' for key, value in lane.requires)}" if lane.requires else ""


def _names(workers: Iterable[WorkerState]) -> str:
    names = sorted(worker.name for worker in workers)
    return ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")


def _span(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
