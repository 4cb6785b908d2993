"""Which controller a command speaks with, and how it is let in."""

import os
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

if TYPE_CHECKING:
    from outspread.client.http_controller import HttpController
    from outspread.client.last_run import LastRun
    from outspread.store.remote_store import RemoteStore

_Command = TypeVar("_Command", bound=Callable[..., Any])
_T = TypeVar("_T")

USUAL_URL: Final = "http://127.0.0.1:8080"
#: What nobody else should find in the environment of what we start.
SECRET_VARIABLES: Final = frozenset({"OUTSPREAD_TOKEN"})
_TOKEN_LIMIT_BYTES: Final = 4096


def controller_options(command: _Command) -> _Command:
    """Give a command the options of ``Visitor``."""
    for option in (
        click.option(
            "--token-file",
            type=click.Path(dir_okay=False),
            help="Read the token from this file; else it is OUTSPREAD_TOKEN.",
        ),
        click.option(
            "--controller",
            "url",
            metavar="URL",
            envvar="OUTSPREAD_CONTROLLER",
            default=USUAL_URL,
            help=f"Where the controller is; {USUAL_URL} unless told here or by OUTSPREAD_CONTROLLER.",
        ),
    ):
        command = option(command)
    return command


class Visitor:
    """A controller, and what is needed to speak with it."""

    def __init__(self, url: str, token_file: str | None) -> None:
        self.url = url.rstrip("/")
        self._token = read_token(token_file)

    @asynccontextmanager
    async def controller(self) -> AsyncIterator["HttpController"]:
        """Give access to the controller."""
        from outspread.client.http_controller import HttpController

        async with HttpController(self.url, token=self._token) as controller:
            yield controller

    @asynccontextmanager
    async def store(self) -> AsyncIterator["RemoteStore"]:
        """Give access to the controller's store."""
        from outspread.store.remote_store import open_remote_store

        async with open_remote_store(self.url, token=self._token) as store:
            yield store

    @property
    def last_run(self) -> "LastRun":
        from outspread.client.last_run import LastRun
        from outspread.user_directories import state_directory

        return LastRun(state_directory(os.environ, Path.home()) / "last-runs")

    def run_id(self, named: str | None) -> str:
        """Return the run that was named, else the one submitted last; UserError when there is none."""
        return named or self.last_run.get(self.url)


def in_loop(work: Coroutine[Any, Any, _T]) -> _T:
    """Do ``work`` in an event loop of its own, and return its result."""
    import asyncio

    return asyncio.run(work)


def read_token(token_file: str | None) -> str:
    """Return the token in a file, else that of the environment; "" when there is none."""
    if token_file is None:
        return os.environ.get("OUTSPREAD_TOKEN", "").strip()
    from outspread.errors import UserError

    try:
        with Path(token_file).open(encoding="ascii") as file:
            return file.read(_TOKEN_LIMIT_BYTES).strip()
    except OSError as error:
        raise UserError(f"cannot read the token from {token_file}: {error.strerror}") from error
    except UnicodeDecodeError:
        raise UserError(f"cannot read the token from {token_file}: it holds none") from None
