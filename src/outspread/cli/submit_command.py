"""``outspread submit``: hand jobs to a controller, and watch them."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from outspread.cli.controller_options import Visitor, controller_options, in_loop
from outspread.cli.job_options import job_like, job_options, told_job_options
from outspread.cli.span_of_time import SpanOfTime
from outspread.cli.watch_run import RunWatch, watch_options

if TYPE_CHECKING:
    from outspread.cli.wanted_jobs import WantedJobs
    from outspread.controller.command_values import CommandRun
    from outspread.store.upload import TreeUpload


@click.command()
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="[- | -- COMMAND...]")
@click.option(
    "-f",
    "--file",
    "document",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Take the jobs from a JSON file.",
)
@click.option("--each", "pattern", metavar="GLOB", help="Make a job of each file that matches; {} in COMMAND is its path.")
@job_options
@click.option("--exclude", multiple=True, metavar="PATTERN", help="Leave this out of the input, as .gitignore would.")
@click.option("--repeat", type=click.IntRange(1, 100_000), default=1, help="Submit each job so many times.")
@click.option("--stop-after", type=click.IntRange(0), default=0, help="Cancel the rest when so many jobs have failed.")
@click.option("--finish-in", "finish_in_s", type=SpanOfTime(), help="Say how many slots it takes to be done in this time.")
@click.option("-n", "--name", default="", help="What to call the run.")
@click.option("--project", default="", help="Durations are remembered by project; the input's name unless told.")
@click.option("--run-id", default="", metavar="ID", help="The run's id; submitting the same again is no other run.")
@click.option("--no-wait", is_flag=True, help="Do not wait for the end.")
@watch_options
@controller_options
@click.pass_context
def command(
    context: click.Context,
    /,
    words: tuple[str, ...],
    document: Path | None,
    pattern: str | None,
    inputs: Path | None,
    exclude: tuple[str, ...],
    repeat: int,
    stop_after: int,
    finish_in_s: float | None,
    name: str,
    project: str,
    run_id: str,
    no_wait: bool,
    junit: Path | None,
    as_json: bool,
    url: str,
    token_file: str | None,
    **of_jobs: Any,
) -> int:
    """Submit jobs to a controller, and watch them to their end.

    One command: `outspread submit -i DIR -- make check`. A command a line: `outspread submit - < commands`. A job of each
    file: `outspread submit --each 'tests/test_*.py' -- pytest -q {}`. Or a file of jobs: `outspread submit -f jobs.json`.
    """
    _refuse_contradictions(words, document, pattern, told=told_job_options(context), no_wait=no_wait, junit=junit)
    from outspread.cli.owner import owner
    from outspread.cli.wanted_jobs import wanted_jobs
    from outspread.client.submission import new_run_id
    from outspread.controller.command_values import CommandRun

    wanted = wanted_jobs(
        words, document=document, pattern=pattern, inputs=inputs, excluded=exclude, like=job_like(**of_jobs), repeat=repeat
    )
    run = CommandRun(
        run_id=run_id or new_run_id(),
        owner=owner(),
        jobs=(),
        name=name or wanted.name,
        project=project or wanted.project,
        stop_after=stop_after or wanted.stop_after,
    )
    watch = RunWatch(as_json=as_json, junit=junit)
    try:
        return in_loop(
            _submit_and_watch(
                Visitor(url, token_file), wanted, run, watch, excluded=exclude, finish_in_s=finish_in_s, wait=not no_wait
            )
        )
    except KeyboardInterrupt:
        watch.interrupted()
        raise


def _refuse_contradictions(
    words: tuple[str, ...], document: Path | None, pattern: str | None, *, told: list[str], no_wait: bool, junit: Path | None
) -> None:
    if document is not None and (words or pattern is not None):
        raise click.UsageError("--file has the commands itself: not with --each or a command")
    if document is not None and told:
        raise click.UsageError(f"--file says itself what its jobs are like: not with {', '.join(told)}")
    if not words and document is None:
        raise click.UsageError("give a command after --, or - to read commands from standard input, or --file")
    if words == ("-",) and pattern is not None:
        raise click.UsageError("--each needs a command, not -")
    if no_wait and junit is not None:
        raise click.UsageError("--junit needs the end of the run: not with --no-wait")


async def _submit_and_watch(
    visitor: Visitor,
    wanted: "WantedJobs",
    run: "CommandRun",
    watch: RunWatch,
    *,
    excluded: tuple[str, ...],
    finish_in_s: float | None,
    wait: bool,
) -> int:
    from outspread.cli.command_run_lines import slots_lines
    from outspread.cli.job_counts import job_count
    from outspread.client.submission import submit, upload_inputs
    from outspread.user_directories import cache_directory

    def uploaded(directory: Path, upload: "TreeUpload") -> None:
        sent = f"{upload.uploaded_bytes / 1e6:.1f} MB in {upload.uploaded_blobs} blobs" if upload.uploaded_blobs else "nothing"
        watch.say(f"{directory}: {upload.files} files; {sent} to send")

    async with visitor.controller() as controller:
        workers = await controller.workers()  # first of all: whether there is a controller should be known before an upload
        if not any(worker.connected for worker in workers):
            watch.say("no worker is connected to this controller now: jobs will wait for one")
        async with visitor.store() as store:
            digests = await upload_inputs(
                store,
                wanted.drafts,
                excluded=excluded,
                stat_cache=cache_directory(os.environ, Path.home()) / "digests",
                uploaded=uploaded,
            )
        watch.submitting(run.run_id)
        status = await submit(controller, wanted.drafts, digests, run=run)
        visitor.last_run.remember(visitor.url, status.run_id)
        watch.submitted(status, job_count(status.counts.total))
        if finish_in_s is not None:
            for line in slots_lines(await controller.slots_needed(status.run_id, within_s=finish_in_s), within_s=finish_in_s):
                watch.say(line)
        return await watch.to_the_end(controller, status.run_id) if wait else 0
