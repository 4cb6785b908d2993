"""``outspread fetch``: logs and outputs of a run, as files."""

from pathlib import Path

import click

from outspread.cli.controller_options import Visitor, controller_options, in_loop, write_out


@click.command()
@click.argument("run", required=False)
@click.option("-d", "--directory", default="outspread-results", type=click.Path(file_okay=False), help="Where to put them.")
@click.option("--logs", is_flag=True, help="Only the logs.")
@click.option("--outputs", is_flag=True, help="Only the files that jobs have kept.")
@click.option("--failed", is_flag=True, help="Only those of attempts that did not pass.")
@controller_options
def command(run: str | None, directory: str, logs: bool, outputs: bool, failed: bool, url: str, token_file: str | None) -> None:
    """Fetch logs and outputs; what was fetched before is left as it is. Without RUN the one that was submitted last from here."""
    from outspread.client.fetching import Wanted, fetch

    visitor = Visitor(url, token_file)
    wanted = Wanted(logs=logs or not outputs, outputs=outputs or not logs, only_failed=failed)

    async def get() -> None:
        async with visitor.controller() as controller, visitor.store() as store:
            async for path in fetch(controller, store, visitor.run_id(run), Path(directory), wanted):
                write_out(str(path))

    in_loop(get())
