"""``outspread fetch``: logs and artifacts of a run, as files."""

import sys
from pathlib import Path

import click

from outspread.cli.controller_options import Visitor, controller_options, in_loop
from outspread.cli.write_answer import write_out
from outspread.client.ignored_files import RESULTS_DIRECTORY


@click.command()
@click.argument("run", required=False)
@click.option(
    "-d",
    "--directory",
    default=RESULTS_DIRECTORY,
    type=click.Path(file_okay=False, path_type=Path),
    help=f"Where to put them, below it by run; {RESULTS_DIRECTORY} unless told.",
)
@click.option("--logs", is_flag=True, help="Only the logs.")
@click.option("--artifacts", is_flag=True, help="Only the files that jobs have kept.")
@click.option("--failed", is_flag=True, help="Only those of attempts that did not pass.")
@controller_options
def command(run: str | None, directory: Path, logs: bool, artifacts: bool, failed: bool, url: str, token_file: str | None) -> int:
    """Fetch logs and artifacts; what was fetched before is left as it is. Without RUN: of the one submitted last from here."""
    from outspread.client.fetching import Wanted, fetch

    visitor = Visitor(url, token_file)
    wanted = Wanted(logs=logs or not artifacts, artifacts=artifacts or not logs, only_failed=failed)

    async def get() -> int:
        problems = 0
        async with visitor.controller() as controller, visitor.store() as store:
            run_id = (await controller.progress(visitor.run_id(run))).status.run_id
            async for fetched in fetch(controller, store, run_id, directory / run_id, wanted):
                if fetched.problem:
                    problems += 1
                    print(f"error: cannot fetch {fetched.path}: {fetched.problem}", file=sys.stderr)
                else:
                    write_out(str(fetched.path))
        return 1 if problems else 0

    return in_loop(get())
