"""``outspread status``: how a run of a controller stands."""

import click

from outspread.cli.controller_options import Visitor, controller_options, in_loop
from outspread.cli.span_of_time import SpanOfTime
from outspread.cli.write_answer import write_answer


@click.command()
@click.argument("run", required=False)
@click.option("--jobs", "with_jobs", is_flag=True, help="List the jobs, too.")
@click.option("--failed", "only_failed", is_flag=True, help="List the jobs that did not pass.")
@click.option("--finish-in", "finish_in_s", type=SpanOfTime(), help="Say how many slots it takes to be done in this time.")
@click.option("--all", "all_runs", is_flag=True, help="List the latest runs instead.")
@click.option("-n", "--number", type=click.IntRange(1, 1000), default=20, help="With --all: how many.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@controller_options
def command(
    run: str | None,
    with_jobs: bool,
    only_failed: bool,
    finish_in_s: float | None,
    all_runs: bool,
    number: int,
    as_json: bool,
    url: str,
    token_file: str | None,
) -> None:
    """Show how a run stands; without RUN the one that was submitted last from here."""
    if all_runs and (run is not None or with_jobs or only_failed or finish_in_s):
        raise click.UsageError("--all lists runs: not with RUN, --jobs, --failed or --finish-in")
    from outspread.cli.command_run_lines import job_rows, run_rows, slots_lines, status_lines
    from outspread.client.following import all_jobs
    from outspread.controller.values import Outcome

    visitor = Visitor(url, token_file)

    async def show() -> None:
        async with visitor.controller() as controller:
            if all_runs:
                runs = await controller.command_runs(limit=number)
                write_answer({"runs": runs}, run_rows(runs), as_json=as_json)
                return
            status = (await controller.progress(visitor.run_id(run))).status
            jobs = [job async for job in all_jobs(controller, status.run_id)] if with_jobs or only_failed else []
            if only_failed:
                jobs = [job for job in jobs if job.outcome not in (None, Outcome.PASSED)]
            lines = [*status_lines(status), *(job_rows(jobs) if jobs else ())]
            answer: dict[str, object] = {"run": status}
            if with_jobs or only_failed:
                answer["jobs"] = jobs
            if finish_in_s is not None:
                needed = await controller.slots_needed(status.run_id, within_s=finish_in_s)
                answer["slots"] = needed
                lines += slots_lines(needed, within_s=finish_in_s)
            write_answer(answer, lines, as_json=as_json)

    in_loop(show())
