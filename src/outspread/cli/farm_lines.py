"""Lines about a controller's workers, and its jobs over many runs, for people. Pure."""

from collections.abc import Iterator, Sequence

from outspread.cli.columns import moment, table
from outspread.cli.job_lines import one_line
from outspread.cli.spans import span
from outspread.controller.command_values import FlakyJob, WorkerStatus


def flaky_rows(jobs: Sequence[FlakyJob]) -> Iterator[str]:
    """Yield a table of flaky jobs."""
    rows = [("flaky", "of", "project", "last", "job")]
    for job in jobs:
        last = f"{job.last_run}.{job.last_number}"
        rows.append((str(job.flaky), str(job.decided), one_line(job.project), last, one_line(job.key)))
    return table(rows)


def worker_rows(workers: Sequence[WorkerStatus]) -> Iterator[str]:
    """Yield a table of workers, then why some of them take no work."""
    rows = [("worker", "state", "slots", "running", "heard", "dimensions")]
    for worker in workers:
        dimensions = " ".join(f"{key}={value}" for key, value in sorted(worker.dimensions.items()))
        heard = f"{span(worker.last_heard_s)} ago"
        numbers = (str(worker.slots), str(len(worker.running)))
        rows.append((one_line(worker.name), _state(worker), *numbers, heard, one_line(dimensions)))
    yield from table(rows)
    for worker in workers:
        if worker.hold:
            until = f" until {moment(worker.held_until)}" if worker.held_until else ""
            yield f"{one_line(worker.name)} is on hold{until}: {one_line(worker.hold)}"


def _state(worker: WorkerStatus) -> str:
    if not worker.connected:
        return "gone"
    if worker.hold:
        return "on hold"
    return "draining" if worker.draining else "working"
