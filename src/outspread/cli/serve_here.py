"""Being a controller in this process."""

import asyncio
import os
from pathlib import Path

import click

from outspread.server.log_lines import log_to_standard_error
from outspread.server.serving import Companion, serve
from outspread.server.settings import parse_listen, read_settings


def serve_here(config: Path | None, listen: str | None, *, companion: Companion | None = None, with_what: str = "") -> None:
    """Serve until told to stop, with a ``companion``, and ``with_what`` for the line that says so."""
    environment = dict(os.environ)
    if listen is not None:
        try:
            parse_listen(listen)
        except ValueError as error:
            raise click.BadParameter(f"{listen!r}: {error}", param_hint="--listen") from None
        environment["OUTSPREAD_LISTEN"] = listen
    settings = read_settings(config, environment, Path.home())
    log_to_standard_error()

    def ready(url: str) -> None:
        print(f"controller at {url}{with_what}, state in {settings.state}", flush=True)

    asyncio.run(serve(settings, ready=ready, companion=companion))
