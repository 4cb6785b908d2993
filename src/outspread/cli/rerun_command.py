"""``outspread rerun``: submit jobs of an earlier run again."""

import getpass
import sys
from pathlib import Path

import click

from outspread.cli.controller_options import Visitor, controller_options, in_loop, write_out


@click.command()
@click.argument("run", required=False)
@click.option("--failed", is_flag=True, help="Only jobs that did not pass.")
@click.option("--no-wait", is_flag=True, help="Do not wait for the end.")
@click.option("--junit", type=click.Path(dir_okay=False), help="Write a JUnit report.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON Lines.")
@controller_options
def command(
    run: str | None, failed: bool, no_wait: bool, junit: str | None, as_json: bool, url: str, token_file: str | None
) -> int:
    """Submit the jobs of a run again, with the same inputs. Without RUN those of the one that was submitted last from here."""
    from msgspec import structs

    from outspread.cli.watch_run import run_view, watch_run
    from outspread.client.following import all_jobs
    from outspread.client.submission import new_run_id
    from outspread.controller.values import Outcome
    from outspread.errors import UserError

    visitor = Visitor(url, token_file)

    async def submit() -> int:
        async with visitor.controller() as controller:
            earlier = visitor.run_id(run)
            jobs = [job async for job in all_jobs(controller, earlier)]
            numbers = tuple(job.number for job in jobs if not failed or job.outcome is not Outcome.PASSED)
            if not numbers:
                raise UserError(f"cannot rerun {earlier}: all its jobs passed" if jobs else f"cannot rerun {earlier}: no jobs")
            submission = await controller.submission(earlier, numbers)
            again = structs.replace(submission, run_id=new_run_id(), owner=getpass.getuser())
            status = await controller.submit_commands(again)
            visitor.last_run.remember(visitor.url, status.run_id)
            if not as_json:
                write_out(f"run {status.run_id}: {status.counts.total} jobs of run {earlier}")
            view = run_view(as_json=as_json)
            if no_wait:
                if as_json:
                    view.finish(status)
                return 0
            return await watch_run(controller, status.run_id, view, junit=Path(junit) if junit else None)

    try:
        return in_loop(submit())
    except KeyboardInterrupt:
        print("the run goes on: outspread watch, outspread cancel", file=sys.stderr)
        raise
