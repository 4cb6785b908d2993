"""Lines of ``outspread top``: how a farm goes at the moment, for people. Pure."""

from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from outspread.cli.columns import table
from outspread.cli.farm_lines import worker_rows
from outspread.cli.job_lines import one_line
from outspread.cli.spans import span
from outspread.controller.command_values import CommandRunStatus, WorkerStatus
from outspread.controller.farm_figures import FarmFigures, LatencyFigures

#: So many runs and lanes are shown.
_MOST: Final = 10


class FarmLook(Struct, frozen=True):
    """What was to be seen of a farm at a time (a clock that only grows, s)."""

    at_s: float
    figures: FarmFigures
    runs: tuple[CommandRunStatus, ...]
    workers: tuple[WorkerStatus, ...]


def top_lines(now: FarmLook, before: FarmLook | None) -> Iterator[str]:
    """Yield how a farm goes; rates and latencies are of the time since ``before``, else since the controller began."""
    figures = now.figures
    yield from _work(now, before)
    yield _times("commits", figures.commit, before.figures.commit if before is not None else None)
    yield _times("exchanges", figures.exchange, before.figures.exchange if before is not None else None)
    if figures.lanes:
        yield ""
        oldest = sorted(figures.lanes, key=lambda lane: -lane.oldest_s)[:_MOST]
        rows = [(str(lane.waiting), span(lane.oldest_s), one_line(lane.requires) or "anything") for lane in oldest]
        yield from table([("waiting", "oldest", "requires"), *rows])
    if now.runs:
        yield ""
        yield from _runs(now.runs)
    yield ""
    yield from worker_rows(now.workers) if now.workers else ("no workers have spoken with this controller yet",)


def _work(now: FarmLook, before: FarmLook | None) -> Iterator[str]:
    figures = now.figures
    ended = sum(figures.attempts.values())
    waiting = sum(lane.waiting for lane in figures.lanes)
    rate = ""
    if before is not None and now.at_s > before.at_s:
        rate = f", {(ended - sum(before.figures.attempts.values())) / (now.at_s - before.at_s):.1f} a second"
    yield f"jobs: {figures.running} running, {waiting} waiting{rate}; runs: {figures.runs}"
    outcomes = ", ".join(f"{count} {outcome}" for outcome, count in sorted(figures.attempts.items()))
    lost = f"; leases lost: {figures.leases_lost}" if figures.leases_lost else ""
    yield f"attempts: {ended} ended{f': {outcomes}' if outcomes else ''}{lost}"
    held = f", {figures.workers_held} on hold" if figures.workers_held else ""
    yield f"workers: {figures.workers_connected}{held}; slots: {figures.slots}"


def _times(what: str, now: LatencyFigures, before: LatencyFigures | None) -> str:
    figures = now.since(before) if before is not None else now
    half, most = figures.at_most_s(0.5), figures.at_most_s(0.99)
    if half is None or most is None:
        return f"{what}: none"
    return f"{what}: {sum(figures.counts)}, half of them within {_within(half)}, 99% within {_within(most)}"


def _within(seconds: float) -> str:
    if seconds == float("inf"):
        return "more than 10 s"
    return f"{seconds * 1000:g} ms" if seconds < 1 else f"{seconds:g} s"


def _runs(runs: tuple[CommandRunStatus, ...]) -> Iterator[str]:
    rows = [("run", "owner", "done", "of", "failed", "running", "left", "name")]
    for run in runs[:_MOST]:
        counts = run.counts
        done = counts.total - counts.queued - counts.running
        numbers = (str(done), str(counts.total), str(counts.failed + counts.infra), str(counts.running))
        rows.append((run.run_id, one_line(run.owner), *numbers, span(run.work_left_s), one_line(run.name)))
    yield from table(rows)
    if len(runs) > _MOST:
        yield f"and {len(runs) - _MOST} more runs"
