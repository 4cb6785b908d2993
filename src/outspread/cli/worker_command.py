"""``outspread worker``: take command jobs from a controller."""

from typing import Any

import click

from outspread.cli.controller_options import Visitor, controller_options
from outspread.cli.worker_settings import worker_options, worker_settings


@click.command()
@worker_options
@controller_options
def command(
    url: str,
    token_file: str | None,
    **of_worker: Any,
) -> None:
    """Take command jobs from a controller and run them here.

    SIGTERM or Ctrl-C: finish what has begun, and leave; the second time, at once.
    """
    from outspread.cli.worker_here import worker_here

    settings = worker_settings(**of_worker)
    worker_here(Visitor(url, token_file), settings)
