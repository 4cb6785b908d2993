"""``outspread worker``: take command jobs from a controller."""

from pathlib import Path

import click

from outspread.cli.controller_options import Visitor, controller_options
from outspread.cli.worker_settings import worker_options, worker_settings


@click.command()
@worker_options
@controller_options
def command(
    slots: int | None,
    dimensions: tuple[str, ...],
    name: str | None,
    directory: Path | None,
    cache_size: str,
    url: str,
    token_file: str | None,
) -> None:
    """Take command jobs from a controller and run them here.

    SIGTERM or Ctrl-C: finish what has begun, and leave; the second time, at once.
    """
    from outspread.cli.worker_here import worker_here

    settings = worker_settings(slots=slots, dimensions=dimensions, name=name, directory=directory, cache_size=cache_size)
    worker_here(Visitor(url, token_file), settings)
