"""What ``outspread history`` shows of a controller."""

import sys
from typing import TYPE_CHECKING, Final

from outspread.cli.command_run_lines import attempt_rows, failure_lines, job_rows, run_rows, status_lines
from outspread.cli.controller_options import Visitor, in_loop
from outspread.cli.owner import owner
from outspread.cli.run_views import FAILURES
from outspread.cli.write_answer import write_answer, write_out
from outspread.client.following import all_jobs, log_end, log_parts
from outspread.client.naming import attempt_of, find_job

if TYPE_CHECKING:
    from outspread.controller.command_port import CommandPort
    from outspread.controller.command_values import CommandAttempt

_LOGS_SHOWN: Final = 20
_LOG_BYTES: Final = 16 * 1024


class ControllerHistory:
    """Prints runs, jobs and logs of earlier runs of a controller."""

    def __init__(self, url: str, token_file: str | None, *, as_json: bool) -> None:
        self._visitor = Visitor(url, token_file)
        self._as_json = as_json

    def show_runs(self, number: int, *, everybodys: bool) -> None:
        """Show the latest runs: this user's, or everybody's."""

        async def show() -> None:
            async with self._visitor.controller() as controller:
                runs = await controller.command_runs(limit=number, owner="" if everybodys else owner())
            if not runs and not self._as_json:
                print("no runs yet" if everybodys else "no runs of yours yet (--all shows those of others)", file=sys.stderr)
                return
            write_answer(runs, run_rows(runs), as_json=self._as_json)

        in_loop(show())

    def show_run(self, run_id: str) -> None:
        """Show what went wrong first, with the end of each log, then all jobs."""

        async def show() -> None:
            async with self._visitor.controller() as controller:
                status = (await controller.progress(run_id)).status
                jobs = [job async for job in all_jobs(controller, status.run_id)]
                failed = [job.attempts[-1] for job in jobs if job.outcome in FAILURES and job.attempts]
                if self._as_json:
                    write_answer({"run": status, "jobs": jobs}, (), as_json=True)
                    return
                write_answer(status, status_lines(status), as_json=False)
                for place, attempt in enumerate(failed):
                    write_out("")
                    await _write_failure(controller, attempt, with_log=place < _LOGS_SHOWN)
                write_out("")
                write_answer(jobs, job_rows(jobs), as_json=False)

        in_loop(show())

    def show_job(self, key: str, project: str, number: int) -> None:
        """Show the latest attempts of a job in all runs of a project."""

        async def show() -> None:
            async with self._visitor.controller() as controller:
                attempts = await controller.job_history(project, key, limit=number)
            if not attempts and not self._as_json:
                print(f"no attempts of {key} in project {project}", file=sys.stderr)
                return
            write_answer(attempts, attempt_rows(attempts), as_json=self._as_json)

        in_loop(show())

    def show_log(self, run_id: str, job: str, attempt: int | None) -> None:
        """Print the log of a job's last attempt, or of a numbered one, byte for byte."""

        async def show() -> None:
            async with self._visitor.controller() as controller:
                found = attempt_of(await find_job(controller, job, in_run=lambda: run_id), attempt)
                async for part in log_parts(controller, found.attempt_id, to_the_end=False):
                    sys.stdout.buffer.write(part.data)
                sys.stdout.buffer.flush()

        in_loop(show())


async def _write_failure(controller: "CommandPort", attempt: "CommandAttempt", *, with_log: bool) -> None:
    wanted = with_log and attempt.log_bytes > 0
    log = await log_end(controller, attempt.attempt_id, limit_bytes=_LOG_BYTES) if wanted else b""
    for line in failure_lines(attempt, log):
        write_out(line)
