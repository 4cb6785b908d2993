"""``outspread rerun``: submit jobs of an earlier run again."""

from pathlib import Path

import click

from outspread.cli.controller_options import Visitor, controller_options, in_loop
from outspread.cli.watch_run import RunWatch, watch_options


@click.command()
@click.argument("run", required=False)
@click.option("--failed", is_flag=True, help="Only jobs that ended without having passed.")
@click.option("--no-wait", is_flag=True, help="Do not wait for the end.")
@watch_options
@controller_options
def command(
    run: str | None, failed: bool, no_wait: bool, junit: Path | None, as_json: bool, url: str, token_file: str | None
) -> int:
    """Submit the jobs of a run again, with the same inputs. Without RUN those of the one that was submitted last from here."""
    if no_wait and junit is not None:
        raise click.UsageError("--junit needs the end of the run: not with --no-wait")
    from outspread.cli.job_counts import job_count
    from outspread.cli.owner import owner
    from outspread.client.reruns import rerun_of
    from outspread.client.submission import new_run_id

    visitor = Visitor(url, token_file)
    earlier = visitor.run_id(run)
    watch = RunWatch(as_json=as_json, junit=junit)

    async def submit() -> int:
        async with visitor.controller() as controller:
            again = await rerun_of(controller, earlier, only_failed=failed, new_id=new_run_id(), owner=owner())
            watch.submitting(again.run_id)
            status = await controller.submit_commands(again)
            visitor.last_run.remember(visitor.url, status.run_id)
            watch.submitted(status, f"{job_count(status.counts.total)} of run {earlier}")
            return 0 if no_wait else await watch.to_the_end(controller, status.run_id)

    try:
        return in_loop(submit())
    except KeyboardInterrupt:
        watch.interrupted()
        raise
