"""``outspread cancel``: let a run of a controller end."""

import click

from outspread.cli.controller_options import Visitor, controller_options, in_loop
from outspread.cli.write_answer import write_out


@click.command()
@click.argument("run", required=False)
@click.option("--reason", default="", help="Why, for whoever looks at it later.")
@controller_options
def command(run: str | None, reason: str, url: str, token_file: str | None) -> None:
    """Cancel a run: what runs is stopped, nothing else begins. Without RUN the one that was submitted last from here."""
    from outspread.cli.owner import owner

    visitor = Visitor(url, token_file)

    async def cancel() -> None:
        async with visitor.controller() as controller:
            run_id = (await controller.progress(visitor.run_id(run))).status.run_id
            await controller.cancel(run_id, reason or f"by {owner()}")
            write_out(f"run {run_id} is cancelled")

    in_loop(cancel())
