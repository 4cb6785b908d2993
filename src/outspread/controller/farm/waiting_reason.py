"""Why a queued job waits, in words for people. Pure."""

from collections.abc import Iterable, Sequence

from outspread.controller.farm.ready_queue import Lane
from outspread.controller.farm.run_state import RunState
from outspread.controller.farm.scheduler import Scheduler
from outspread.controller.farm.worker_state import WorkerState


def waiting_reason(scheduler: Scheduler, run: RunState, number: int, *, at: float) -> str:
    """Return what a queued job of ``run`` waits for: a worker that there is none of, one on hold, or those before it."""
    lane = run.lanes[number]
    workers = list(scheduler.workers.values())
    able = [worker for worker in workers if worker.may_serve(lane)]
    if not workers:
        return "there is no worker"
    if not able:
        return _missing(lane, workers)
    connected = [worker for worker in able if worker.connected]
    if not connected:
        return f"no worker{_having(lane)} is connected; last seen: {_names(able)}"
    working = [worker for worker in connected if worker.takes_work(at)]
    if not working:
        return _not_working(connected, lane)
    count, seconds = scheduler.queue.ahead(run.ready_job(number), lane, run.priorities[number], run.expected_s[number])
    slots = sum(worker.slots for worker in working)
    if not count:
        return f"next; waits for one of {slots} slots"
    seconds = seconds or count * run.planned_s(number)
    return f"behind {count} jobs, about {_span(seconds / max(slots, 1))}"


def _missing(lane: Lane, workers: Sequence[WorkerState]) -> str:
    """Name the first dimension that no worker has; if each is there, but not together, all of them."""
    for key, value in lane:
        if not any(worker.dimensions.get(key) == value for worker in workers):
            return f"no worker has {key}={value}"
    return f"no worker has all of {', '.join(f'{key}={value}' for key, value in lane)}"


def _not_working(workers: Sequence[WorkerState], lane: Lane) -> str:
    held = [worker for worker in workers if worker.health.hold or worker.hold_reason]
    if held:
        reason = held[0].health.hold or held[0].hold_reason
        return f"each worker{_having(lane)} is on hold or leaving; {held[0].name}: {reason}"
    return f"each worker{_having(lane)} is leaving: {_names(workers)}"


def _having(lane: Lane) -> str:
    return f" with {', '.join(f'{key}={value}' for key, value in lane)}" if lane else ""


def _names(workers: Iterable[WorkerState]) -> str:
    names = sorted(worker.name for worker in workers)
    return ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")


def _span(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
