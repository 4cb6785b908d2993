"""What ``outspread history`` asks the record."""

from outspread.cli.ask_record import ask_record
from outspread.controller.values import RunDetail, RunSummary


def history_here(limit: int, *, project_root: str) -> list[RunSummary]:
    """Return the latest runs, newest first; of one project directory if named."""
    return ask_record(lambda controller: controller.history(limit=limit, project_root=project_root))


def run_detail_here(run_id: str) -> RunDetail:
    """Return a run by the beginning of its id. Raises UserError when there is none, or more than one."""
    return ask_record(lambda controller: controller.run_detail(run_id))


def attempt_log_here(run_id: str, job: str, attempt: int) -> str:
    """Return all that is kept of what an attempt printed."""
    return ask_record(lambda controller: controller.attempt_log(run_id, job, attempt))
