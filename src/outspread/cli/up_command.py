"""``outspread up``: a controller with a worker, in one process."""

from pathlib import Path
from typing import Any

import click

from outspread.cli.worker_settings import worker_options, worker_settings


@click.command()
@click.option("--config", type=click.Path(path_type=Path, dir_okay=False), help="Read settings from this file.")
@click.option("--listen", metavar="HOST:PORT", help="Where to listen.  [default: 127.0.0.1:8080]")
@worker_options
def command(
    config: Path | None,
    listen: str | None,
    **of_worker: Any,
) -> None:
    """Be a controller with a worker beside it: all that `outspread submit` needs, on one machine.

    What is submitted is kept, and goes on when this is started again. More workers may join from elsewhere.
    """
    from outspread.cli.serve_here import serve_here
    from outspread.cli.worker_here import working_beside

    settings = worker_settings(**of_worker)
    slots_there = f"{settings.slots} slot{'s' * (settings.slots != 1)}"
    serve_here(config, listen, companion=working_beside(settings), with_what=f" with {slots_there}")
