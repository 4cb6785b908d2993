"""Options that say what each submitted job is like, and where its inputs are."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from outspread.cli.size_in_bytes import SizeInBytes
from outspread.cli.span_of_time import SpanOfTime

if TYPE_CHECKING:
    from outspread.controller.command_values import CommandJob

_Command = TypeVar("_Command", bound=Callable[..., Any])

_OPTIONS: Final = (
    click.option(
        "-i",
        "--input",
        "inputs",
        type=click.Path(exists=True, file_okay=False, path_type=Path),
        help="The directory that each command finds a copy of.",
    ),
    click.option("--directory", "start", default="", metavar="DIR", help="Where in the input the command starts."),
    click.option("-o", "--output", "outputs", multiple=True, metavar="GLOB", help="Keep these files of each job."),
    click.option("--writable", multiple=True, metavar="GLOB", help="Input files that the command may change."),
    click.option("-e", "--env", "environment", multiple=True, metavar="NAME=VALUE", help="Set a variable."),
    click.option("--require", "requires", multiple=True, metavar="KEY=VALUE", help="A dimension that the worker must have."),
    click.option("--limit", "limits", multiple=True, metavar="NAME", help="Of jobs with this name only so many run at once."),
    click.option("--timeout", "timeout_s", type=SpanOfTime(), help="Stop a command after this time, as in 90s or 1h."),
    click.option("--memory", "memory_bytes", type=SizeInBytes(), help="Kill a command that needs more memory, as in 512M or 2G."),
    click.option("--processes", type=click.IntRange(1), help="So many processes and threads a command may have at once."),
    click.option("--disk", "disk_bytes", type=SizeInBytes(), help="Stop a command that writes more than this, as in 10G."),
    click.option("--retries", type=click.IntRange(0, 100), default=0, help="Try a failed job so often again."),
    click.option("--priority", type=click.IntRange(-1_000_000, 1_000_000), default=0, help="Higher goes first."),
    click.option("--sandbox", is_flag=True, help="Run each command in a throw-away sandbox of its worker."),
    click.option("--image", default="", metavar="DIR", help="Run each command in a sandbox of this root tree on the worker."),
)


def job_options(command: _Command) -> _Command:
    """Give a command the options that ``job_like`` takes."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def told_job_options(context: click.Context) -> list[str]:
    """Return the options of jobs that were given."""
    of_jobs = {parameter.name for parameter in job_options(click.Command("jobs")).params}
    return [
        parameter.opts[-1]
        for parameter in context.command.params
        if parameter.name in of_jobs and _is_told(context, parameter.name)
    ]


def job_like(
    *,
    start: str,
    outputs: Sequence[str],
    writable: Sequence[str],
    environment: Sequence[str],
    requires: Sequence[str],
    limits: Sequence[str],
    timeout_s: float | None,
    memory_bytes: int | None,
    processes: int | None,
    disk_bytes: int | None,
    retries: int,
    priority: int,
    sandbox: bool,
    image: str,
) -> "CommandJob":
    """Return what is common to all jobs: a job without name and command."""
    from outspread.controller.command_values import CommandJob, Isolation

    return CommandJob(
        name="",
        command=(),
        directory=start,
        environment=_pairs("--env", environment),
        timeout_s=timeout_s or 0.0,
        memory_bytes=memory_bytes or 0,
        processes=processes or 0,
        disk_bytes=disk_bytes or 0,
        retries=retries,
        outputs=tuple(outputs),
        writable=tuple(writable),
        requires=_pairs("--require", requires),
        priority=priority,
        limits=tuple(limits),
        isolation=Isolation.SANDBOX if sandbox or image else Isolation.NONE,
        image=image,
    )


def _is_told(context: click.Context, name: str) -> bool:
    return context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE


def _pairs(option: str, texts: Sequence[str]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise click.UsageError(f"{option} {text!r} is not of the form NAME=VALUE")
        pairs[name] = value
    return pairs
