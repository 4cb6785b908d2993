"""How a job's steps are called where people read about them."""

from outspread.project.model import Job


def job_label(job: Job, level: str) -> str:
    """Return the job's name for a "task", its backend, system and suite for a "suite", else its backend and system."""
    match level:
        case "task":
            return job.name
        case "suite":
            return f"{job.backend}:{job.system}:{job.suite}"
        case _:
            return f"{job.backend}:{job.system}"
