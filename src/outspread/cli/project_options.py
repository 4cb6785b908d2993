"""The options by which every command that reads a project is told which one, and how."""

from collections.abc import Callable
from typing import TypeVar

import click
from click.shell_completion import CompletionItem

#: As in ``project.model.Flavour``, which is not imported for a help text.
FLAVOURS = ("spread", "spread-plus")

Function = TypeVar("Function", bound=Callable[..., object])


def complete_filter(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return what a filter may go on to."""
    from outspread.cli.job_completion import filters_beginning

    return [CompletionItem(name) for name in filters_beginning(ctx.params.get("directory") or ".", incomplete)]


def project_options(function: Function) -> Function:
    """Add what ``selection.Wish`` is made from."""
    filters = click.argument("filters", nargs=-1, metavar="[FILTER]...", shell_complete=complete_filter)
    return filters(options_of_project(function))


def options_of_project(function: Function) -> Function:
    """Add what says which project is meant, and how to read it."""
    for decorate in (
        click.option("--strict", is_flag=True, help="Take warnings about the project for errors."),
        click.option(
            "--flavour", type=click.Choice(FLAVOURS), default="spread", envvar="OUTSPREAD_FLAVOUR", help="Whose rules apply."
        ),
        click.option("--sandbox", is_flag=True, help="Replace the project's machines by throw-away views of this host."),
        click.option(
            "-C", "--directory", default=".", type=click.Path(exists=True, file_okay=False), help="Start in this directory."
        ),
    ):
        function = decorate(function)
    return function
