"""``outspread serve``: be a controller."""

from pathlib import Path

import click


@click.command()
@click.option("--config", type=click.Path(path_type=Path, dir_okay=False), help="Read settings from this file.")
@click.option("--listen", metavar="HOST:PORT", help="Where to listen.  [default: 127.0.0.1:8080]")
def command(config: Path | None, listen: str | None) -> None:
    """Be a controller: take runs, hand their jobs to workers, and keep what becomes of them.

    Settings come from options, else from OUTSPREAD_… variables, else from the file. It stops on SIGTERM, and goes on where it
    stopped when it is started again.
    """
    from outspread.cli.serve_here import serve_here

    serve_here(config, listen)
