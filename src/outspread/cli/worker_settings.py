"""How a worker is to be: from its options, and what this host is where they say nothing."""

import os
import re
import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import click
from msgspec import Struct

from outspread.cli.size_in_bytes import SizeInBytes
from outspread.user_directories import cache_directory
from outspread.worker.commands.job_limits import USUAL_PROCESSES, JobLimits

_Command = TypeVar("_Command", bound=Callable[..., Any])
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)


def worker_options(command: _Command) -> _Command:
    """Give a command the options of ``worker_settings``."""
    for option in (
        click.option("--job-disk", type=SizeInBytes(), help="The most that a command may write.  [default: no limit]"),
        click.option(
            "--job-processes",
            type=click.IntRange(1),
            default=USUAL_PROCESSES,
            show_default=True,
            metavar="N",
            help="The most processes and threads that a command may have.",
        ),
        click.option("--job-memory", type=SizeInBytes(), help="The most memory that a command may have.  [default: no limit]"),
        click.option(
            "--cache-size",
            "cache_bytes",
            type=SizeInBytes(),
            default="10G",
            show_default=True,
            help="How much of inputs is kept.",
        ),
        click.option(
            "--work-dir",
            "directory",
            type=click.Path(path_type=Path, file_okay=False),
            help="Where work trees and the cache are.",
        ),
        click.option("--name", metavar="NAME", help="What the worker is called.  [default: the host's name]"),
        click.option(
            "--dimension", "dimensions", multiple=True, metavar="KEY=VALUE", help="What jobs may require of this worker."
        ),
        click.option(
            "--slots",
            type=click.IntRange(1, 4096),
            metavar="N",
            help="How many commands at a time.  [default: one for each CPU]",
        ),
    ):
        command = option(command)
    return command


class WorkerSettings(Struct, frozen=True):
    """``directory`` is the worker's alone."""

    name: str
    slots: int
    dimensions: dict[str, str]
    directory: Path
    cache_bytes: int
    job_limits: JobLimits


def worker_settings(
    *,
    slots: int | None,
    dimensions: Sequence[str],
    name: str | None,
    directory: Path | None,
    cache_bytes: int,
    job_memory: int | None,
    job_processes: int,
    job_disk: int | None,
) -> WorkerSettings:
    """Return the settings; click.BadParameter for what cannot be meant."""
    from outspread.worker.commands.detected_dimensions import detected_dimensions

    caches = cache_directory(os.environ, Path.home())
    known = detected_dimensions(caches / "qemu")
    for dimension in dimensions:
        key, equals, value = dimension.partition("=")
        if not (key and equals and value):
            raise click.BadParameter(f"{dimension!r} is not KEY=VALUE", param_hint="--dimension")
        known[key] = value
    name = name if name is not None else socket.gethostname()
    if not _NAME.fullmatch(name):
        raise click.BadParameter(
            f"{name!r} is not a name: at most 64 letters, digits, points, hyphens, underscores", param_hint="--name"
        )
    return WorkerSettings(
        name=name,
        slots=slots or len(os.sched_getaffinity(0)),
        dimensions=known,
        directory=(directory or caches / "worker" / name).absolute(),
        cache_bytes=cache_bytes,
        job_limits=JobLimits(job_memory or 0, job_processes, job_disk or 0),
    )
